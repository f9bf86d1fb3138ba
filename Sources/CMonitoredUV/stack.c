#define _GNU_SOURCE
#include "include/stack.h"

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <fcntl.h>

enum state { idle, requested, copying, done };
static _Atomic int state;
static _Atomic uintptr_t requested_thread;
static muv_stack_range requested_range;
static muv_stack *requested_stack;
static int signal_number; // 0 where there is none

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

// Functions without calls may use so much beyond the top of the stack, and at the end of any function this is where the
// registers were that it has just restored.
enum { beyond_top = 128 };

// Reads what the program would not: other functions' frames.
__attribute__((no_sanitize("address", "thread"), noinline))
static void copy_words(volatile uintptr_t *to, const volatile uintptr_t *from, size_t count) {
    for (size_t index = 0; index < count; index++) to[index] = from[index];
}

// Everything here may interrupt anything: it calls nothing but what is written above.
__attribute__((no_sanitize("address", "thread")))
static void handle(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    if (atomic_load(&requested_thread) != (uintptr_t)pthread_self()) return;
    int expected = requested;
    if (!atomic_compare_exchange_strong(&state, &expected, copying)) return; // too late, or somebody else's signal
    muv_stack *stack = requested_stack;
    stack->count = 0;
    copy_registers(context, stack->registers);
    uintptr_t top = stack->registers[stack_pointer] & ~(uintptr_t)15;
    if (top >= requested_range.low && top < requested_range.high) {
        uintptr_t low = top - requested_range.low > beyond_top ? top - beyond_top : requested_range.low;
        size_t count = requested_range.high - low;
        if (count > muv_stack_bytes) count = muv_stack_bytes;
        stack->low = low;
        stack->count = count & ~(size_t)7;
        copy_words((uintptr_t *)stack->bytes, (const uintptr_t *)low, stack->count / sizeof(uintptr_t));
    }
    atomic_store_explicit(&state, done, memory_order_release);
}

static void install(void) {
    signal_number = 0;
    // One that nobody uses: the first few belong to the C library.
    for (int number = SIGRTMIN + 5; number <= SIGRTMAX; number++) {
        struct sigaction old;
        if (sigaction(number, NULL, &old) != 0 || old.sa_handler != SIG_DFL) continue;
        struct sigaction action;
        memset(&action, 0, sizeof action);
        action.sa_sigaction = handle;
        action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
        sigemptyset(&action.sa_mask);
        if (sigaction(number, &action, NULL) != 0) continue;
        signal_number = number;
        return;
    }
}

// Whether the signal still comes here: sending it may end the program otherwise.
static bool is_installed(void) {
    struct sigaction current;
    return signal_number != 0 && sigaction(signal_number, NULL, &current) == 0
        && (current.sa_flags & SA_SIGINFO) && current.sa_sigaction == handle;
}

bool muv_stack_is_supported(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
    return signal_number != 0;
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
    // Threads that a worker of Dispatch has made block nearly all signals, as it does.
    sigset_t answered;
    sigemptyset(&answered);
    sigaddset(&answered, signal_number);
    return signal_number != 0 && pthread_sigmask(SIG_UNBLOCK, &answered, NULL) == 0;
}

static pthread_key_t alternate_key;
enum { guard_size = 64 * 1024 }; // a page, whatever size pages have

// Also for the program's own handlers, which would run on the thread's stack otherwise. The kernel's part of it grows with
// the processor's registers.
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

bool muv_stack_capture(uintptr_t thread, muv_stack_range range, int milliseconds, muv_stack *stack) {
    // The thread has let this signal through, and no other.
    if (!muv_stack_is_supported() || !is_installed()) return false;
    atomic_store(&requested_thread, thread);
    requested_range = range;
    requested_stack = stack;
    atomic_store(&state, requested);
    if (pthread_kill((pthread_t)thread, signal_number) != 0) {
        atomic_store(&state, idle);
        return false;
    }
    struct timespec pause = {0, 20 * 1000};
    for (long waited = 0;; waited += pause.tv_nsec) {
        if (atomic_load_explicit(&state, memory_order_acquire) == done) break;
        int expected = requested;
        // Once the copy has begun it also ends.
        if (waited > milliseconds * 1000000L && atomic_compare_exchange_strong(&state, &expected, idle)) return false;
        nanosleep(&pause, NULL);
        if (pause.tv_nsec < 1000 * 1000) pause.tv_nsec *= 2;
    }
    atomic_store(&state, idle);
    return stack->count > 0;
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

bool muv_stack_is_supported(void) { return false; }
bool muv_stack_this_thread(muv_stack_range *range, int *number) { return false; }
void muv_stack_make_alternate(void) {}
bool muv_stack_capture(uintptr_t thread, muv_stack_range range, int milliseconds, muv_stack *stack) { return false; }
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
