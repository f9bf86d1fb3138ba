#define _GNU_SOURCE
#include "waiting.h"

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <fcntl.h>

static _Atomic int signal_number; // 0 where there is none

// The threads that a signal was sent to.
enum { slot_count = 64 };
enum state { idle, requested, copying, done };
static struct slot {
    _Atomic int state;
    _Atomic uintptr_t thread;
    muv_stack_range range;
    muv_stack *stack;
} slots[slot_count];

#if defined(__x86_64__)
static void copy_registers(const ucontext_t *context, uintptr_t *registers) {
    static const int numbers[] = {
        REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP,
        REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
    };
    for (int index = 0; index < 16; index++) registers[index] = (uintptr_t)context->uc_mcontext.gregs[numbers[index]];
    registers[muv_register_count - 1] = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
}
enum { stack_pointer = 7 };
#else
static void copy_registers(const ucontext_t *context, uintptr_t *registers) {
    for (int index = 0; index < 31; index++) registers[index] = context->uc_mcontext.regs[index];
    registers[31] = context->uc_mcontext.sp;
    registers[muv_register_count - 1] = context->uc_mcontext.pc;
}
enum { stack_pointer = 31 };
#endif

// Functions without calls may use this much beyond the top of the stack, and at the end of any function the registers
// that it has just restored were stored there.
enum { beyond_top = 128 };

// Reads memory that the program itself would not: other functions' frames.
__attribute__((no_sanitize("address", "thread"), noinline))
static void copy_words(volatile uintptr_t *to, const volatile uintptr_t *from, size_t count) {
    for (size_t index = 0; index < count; index++) to[index] = from[index];
}

#if defined(__x86_64__)
// Returns the number of the system call that the code before `counter` has put into eax; -1 if it is not found.
__attribute__((no_sanitize("address", "thread")))
static long number_before(const volatile uint8_t *counter) {
    uintptr_t room = (uintptr_t)counter & 4095; // what lies before this page may not be readable
    for (uintptr_t back = 7; back < 48 && back < room; back++) {
        if (counter[-(intptr_t)back] != 0xb8) continue; // mov eax, number
        if (back > 7 && (counter[-(intptr_t)back - 1] & 0xf8) == 0x40) continue;
        uint32_t value = 0;
        for (int byte = 3; byte >= 0; byte--) value = value << 8 | counter[-(intptr_t)back + 1 + byte];
        if (value < 1024) return value;
    }
    return room > 4 && counter[-4] == 0x31 && counter[-3] == 0xc0 ? 0 : -1; // xor eax, eax
}

// Returns whether the call, repeated with the same arguments, waits no longer than it would have.
static bool can_be_restarted(long number, const greg_t *registers) {
    switch (number) {
    case SYS_poll: return (int)registers[REG_RDX] < 0; // nothing tells how much of its time is left
    case SYS_nanosleep: case SYS_clock_nanosleep: case SYS_ppoll: case SYS_select: case SYS_pselect6:
    case SYS_epoll_wait: case SYS_epoll_pwait: case SYS_pause: case SYS_rt_sigtimedwait: case SYS_futex:
    case SYS_recvfrom: case SYS_recvmsg: case SYS_accept: case SYS_accept4: case SYS_semtimedop: case SYS_semop:
    case SYS_io_getevents: return true;
    default: return false;
    }
}

// Repeats the system call that the thread has entered after all and that the signal has ended.
__attribute__((no_sanitize("address", "thread")))
static void restart_call(ucontext_t *context) {
    greg_t *registers = context->uc_mcontext.gregs;
    // After a system call, rcx holds its return address. The result is -EINTR only if a signal has ended it.
    if (registers[REG_RAX] != -EINTR || registers[REG_RCX] != registers[REG_RIP]) return;
    const volatile uint8_t *counter = (const volatile uint8_t *)registers[REG_RIP];
    if (((uintptr_t)counter & 4095) < 2 || counter[-2] != 0x0f || counter[-1] != 0x05) return;
    long number = number_before(counter);
    if (!can_be_restarted(number, registers)) return;
    registers[REG_RAX] = number;
    registers[REG_RIP] -= 2;
}
#else
// The result has replaced the first argument, so the call cannot be repeated.
static void restart_call(ucontext_t *context) { (void)context; }
#endif

// The handler may interrupt anything, so it calls only the functions above.
__attribute__((no_sanitize("address", "thread")))
static void handle(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    for (int index = 0; index < slot_count; index++) {
        struct slot *slot = &slots[index];
        if (atomic_load(&slot->thread) != (uintptr_t)pthread_self()) continue;
        int expected = requested;
        if (!atomic_compare_exchange_strong(&slot->state, &expected, copying)) continue; // given up meanwhile
        if (atomic_load(&slot->thread) != (uintptr_t)pthread_self()) { // and given to another one
            atomic_store(&slot->state, requested);
            continue;
        }
        muv_stack *stack = slot->stack;
        stack->count = 0;
        stack->is_waiting = false;
        stack->known = ~0ull;
        copy_registers(context, stack->registers);
        uintptr_t top = stack->registers[stack_pointer] & ~(uintptr_t)15;
        if (top >= slot->range.low && top < slot->range.high) {
            uintptr_t low = top - slot->range.low > beyond_top ? top - beyond_top : slot->range.low;
            size_t count = slot->range.high - low;
            if (count > muv_stack_bytes) count = muv_stack_bytes;
            stack->low = low;
            stack->count = count & ~(size_t)7;
            copy_words((uintptr_t *)stack->bytes, (const uintptr_t *)low, stack->count / sizeof(uintptr_t));
        }
        atomic_store_explicit(&slot->state, done, memory_order_release);
    }
    restart_call(context);
}

static void install(void) {
    signal_number = 0;
    // An unused signal. The best is one that is ignored by default: it may be pending when the program replaces itself
    // with another one. The first few of the others belong to the C library.
    for (int number = SIGRTMIN + 4; number <= SIGRTMAX; number++) {
        int number_or_urgent = number == SIGRTMIN + 4 ? SIGURG : number;
        struct sigaction old;
        if (sigaction(number_or_urgent, NULL, &old) != 0 || old.sa_handler != SIG_DFL) continue;
        struct sigaction action;
        memset(&action, 0, sizeof action);
        action.sa_sigaction = handle;
        action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
        sigemptyset(&action.sa_mask);
        if (sigaction(number_or_urgent, &action, NULL) != 0) continue;
        signal_number = number_or_urgent;
        return;
    }
}

// Returns whether the signal still has this handler. Otherwise, sending it may end the program.
static bool is_installed(void) {
    struct sigaction current;
    return signal_number != 0 && sigaction(signal_number, NULL, &current) == 0
        && (current.sa_flags & SA_SIGINFO) && current.sa_sigaction == handle;
}

bool muv_stack_is_signal(int number) { return number == signal_number && is_installed(); }

static void choose_signal(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
}

bool muv_stack_this_thread(muv_stack_range *range, int *number) {
    *number = gettid();
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return false;
    void *low;
    size_t size;
    int status = pthread_attr_getstack(&attributes, &low, &size);
    pthread_attr_destroy(&attributes);
    if (status != 0) return false;
    *range = (muv_stack_range){(uintptr_t)low, (uintptr_t)low + size};
    choose_signal();
    if (signal_number == 0) return true; // threads that wait need none
    // Threads created by a worker of Dispatch block nearly all signals, as the worker does.
    sigset_t answered;
    sigemptyset(&answered);
    sigaddset(&answered, signal_number);
    return pthread_sigmask(SIG_UNBLOCK, &answered, NULL) == 0;
}

static pthread_key_t alternate_key;
enum { guard_size = 64 * 1024 }; // a page, whatever size pages have

// Also serves the program's own handlers, which would run on the thread's stack otherwise. The kernel's part of it
// grows with the processor's registers.
static size_t alternate_size(void) {
    size_t size = guard_size + 128 * 1024 + getauxval(AT_MINSIGSTKSZ);
    return (size + guard_size - 1) / guard_size * guard_size;
}

static void drop_alternate(void *memory) {
    stack_t current;
    if (sigaltstack(NULL, &current) != 0) return;
    if (current.ss_sp == (char *)memory + guard_size) {
        stack_t none = {.ss_flags = SS_DISABLE};
        if (sigaltstack(&none, NULL) != 0) return; // in use, so not to be freed
    }
    munmap(memory, alternate_size());
}

static void make_key(void) { (void)pthread_key_create(&alternate_key, drop_alternate); }

void muv_stack_make_alternate(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_key);
    stack_t old;
    if (sigaltstack(NULL, &old) != 0 || !(old.ss_flags & SS_DISABLE)) return;
    void *memory = mmap(NULL, alternate_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;
    (void)mprotect(memory, guard_size, PROT_NONE);
    stack_t new = {.ss_sp = (char *)memory + guard_size, .ss_size = alternate_size() - guard_size};
    if (pthread_setspecific(alternate_key, memory) == 0 && sigaltstack(&new, NULL) == 0) return;
    (void)pthread_setspecific(alternate_key, NULL);
    munmap(memory, alternate_size());
}

// MARK: Asking by a signal

static muv_capture_state ended(muv_capture *capture, struct slot *slot) {
    capture->slot = -1;
    atomic_store(&slot->state, idle);
    atomic_store(&slot->thread, 0); // from now on the slot may be another capture's
    return capture->stack->count > 0 ? muv_capture_succeeded : muv_capture_failed;
}

muv_capture_state muv_capture_ask(muv_capture *capture) {
    // The thread lets this signal through, and no other.
    if (!is_installed() || muv_thread_blocks(&capture->files, signal_number)) return muv_capture_failed;
    for (int index = 0; index < slot_count; index++) {
        struct slot *slot = &slots[index];
        uintptr_t nobody = 0;
        if (!atomic_compare_exchange_strong(&slot->thread, &nobody, capture->thread)) continue;
        slot->range = capture->range;
        slot->stack = capture->stack;
        capture->slot = index;
        atomic_store(&slot->state, requested);
        if (pthread_kill((pthread_t)capture->thread, signal_number) == 0) return muv_capture_goes_on;
        return muv_capture_cancel(capture);
    }
    return muv_capture_goes_on; // there will be a slot
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

enum { longest_uncounted = 20 * 1000 * 1000 }; // a running thread's time is counted at each tick of the system's clock

// A thread that was just woken is reported as running, too, and a signal would end the call that it was waiting in. So
// it must be found running twice, with time used in between and no sleep.
static bool computes(muv_capture *capture) {
    uint64_t ran = muv_thread_ran(&capture->files), sleeps = muv_thread_sleeps(&capture->files), time = now();
    if (capture->was_running && capture->sleeps == sleeps) {
        return ran != capture->ran || time - capture->since > longest_uncounted;
    }
    capture->was_running = true;
    capture->since = time;
    capture->ran = ran;
    capture->sleeps = sleeps;
    return false;
}

void muv_capture_begin(
    muv_capture *capture, uintptr_t thread, muv_stack_range range, muv_thread_files files, muv_stack *stack
) {
    *capture = (muv_capture){.thread = thread, .range = range, .files = files, .stack = stack, .slot = -1};
    stack->count = 0;
}

muv_capture_state muv_capture_step(muv_capture *capture) {
    if (capture->slot >= 0) {
        struct slot *slot = &slots[capture->slot];
        return atomic_load_explicit(&slot->state, memory_order_acquire) == done ? ended(capture, slot)
            : muv_capture_goes_on;
    }
    for (int tries = 0; tries < 5; tries++) {
        switch (muv_copy_waiting(&capture->files, capture->range, capture->stack)) {
        case muv_copied: return muv_capture_succeeded;
        case muv_elsewhere: return muv_capture_failed;
        case muv_moved: continue;
        case muv_unreadable:
            // A signal would end the call that the thread waits in.
            if (!muv_thread_is_running(&capture->files)) return muv_capture_failed;
            return computes(capture) ? muv_capture_ask(capture) : muv_capture_goes_on;
        case muv_running: return computes(capture) ? muv_capture_ask(capture) : muv_capture_goes_on;
        }
    }
    return muv_capture_goes_on;
}

muv_capture_state muv_capture_cancel(muv_capture *capture) {
    if (capture->slot < 0) return muv_capture_failed;
    struct slot *slot = &slots[capture->slot];
    int expected = requested;
    if (!atomic_compare_exchange_strong(&slot->state, &expected, idle)) {
        // Once the copy has begun, it also ends.
        while (atomic_load_explicit(&slot->state, memory_order_acquire) != done) sched_yield();
        return ended(capture, slot);
    }
    capture->stack->count = 0;
    return ended(capture, slot);
}

int muv_thread_number(void) { return gettid(); }

bool muv_is_traced(void) {
    int descriptor = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return false;
    char text[2048];
    ssize_t count = read(descriptor, text, sizeof text - 1);
    close(descriptor);
    if (count <= 0) return false;
    text[count] = 0;
    const char *field = strstr(text, "TracerPid:");
    return field && atoi(field + strlen("TracerPid:")) != 0;
}

#else

bool muv_stack_this_thread(muv_stack_range *range, int *number) { return false; }
bool muv_stack_is_signal(int number) { return false; }
void muv_stack_make_alternate(void) {}
void muv_capture_begin(
    muv_capture *capture, uintptr_t thread, muv_stack_range range, muv_thread_files files, muv_stack *stack
) {}
muv_capture_state muv_capture_step(muv_capture *capture) { return muv_capture_failed; }
muv_capture_state muv_capture_ask(muv_capture *capture) { return muv_capture_failed; }
muv_capture_state muv_capture_cancel(muv_capture *capture) { return muv_capture_failed; }
int muv_thread_number(void) { return 0; }
bool muv_is_traced(void) { return false; }

#endif

bool muv_stack_read(const muv_stack *stack, uintptr_t address, uintptr_t *word) {
    if (address % sizeof(uintptr_t) != 0 || address < stack->low) return false;
    size_t offset = address - stack->low;
    if (stack->count < sizeof(uintptr_t) || offset > stack->count - sizeof(uintptr_t)) return false;
    *word = *(const uintptr_t *)(const void *)(stack->bytes + offset);
    return true;
}
