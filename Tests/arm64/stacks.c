// Captures the stacks of threads in known places and checks that every call is found, and nothing else. It uses the C
// target alone, so that it can be built for arm64 without Swift and run in an emulator: see scripts/check-arm64.
#define _GNU_SOURCE
#include "CMonitoredUV.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// The functions below are called by pointer and touch this behind their calls, so that no compiler inlines them or
// turns their calls into jumps. They are global, for dladdr names no others.
static volatile int calls;
static atomic_int arrived, released;
static int pipe_ends[2];

// Calls nothing, so that on arm64 its return address is in a register alone.
void spin(void) {
    atomic_store(&arrived, 1);
    while (!atomic_load(&released)) {}
}

void block(void) {
    char byte;
    atomic_store(&arrived, 1);
    calls += (int)read(pipe_ends[0], &byte, 1);
}

static void (*volatile wait_here)(void);

int compare(const void *left, const void *right) {
    if (!atomic_load(&arrived)) wait_here();
    calls++;
    return *(const int *)left - *(const int *)right;
}

void sort(void) {
    int numbers[] = {3, 1, 2, 5, 4};
    qsort(numbers, 5, sizeof *numbers, compare);
    calls++;
}

static void (*volatile call_sort)(void) = sort;

// Goes on by the procedure linkage table, at which samples are to be taken as well.
void sort_again_and_again(void) {
    for (atomic_store(&arrived, 1); !atomic_load(&released);) call_sort();
    calls++;
}

static void (*volatile recurse_further)(int);
static void (*volatile call_spin)(void) = spin;
static int padding;

void recurse(int depth) {
    char memory[padding + 1];
    *(volatile char *)memory = 0;
    if (depth > 1) recurse_further(depth - 1);
    else call_spin();
    calls += memory[0];
}

void recurse_200_deep(void) {
    recurse_further(200);
    calls++;
}

typedef struct thread {
    void (*volatile body)(void);
    bool has_alternate;
    muv_stack_range range;
    int number;
    pthread_t handle;
} thread;

void *run(void *argument) {
    thread *thread = argument;
    if (!muv_stack_this_thread(&thread->range, &thread->number)) abort();
    if (thread->has_alternate) muv_stack_make_alternate();
    stack_t alternate;
    if (sigaltstack(NULL, &alternate) != 0 || thread->has_alternate == !!(alternate.ss_flags & SS_DISABLE)) abort();
    thread->body();
    calls++;
    return NULL;
}

static int passed, failed;

static void check(bool is_right, const char *what, const char *found) {
    if (is_right) passed++;
    else failed++;
    if (!is_right) printf("  FAILED  %s: %s\n", what, found);
}

extern void _init(void); // the C library's, without a table

#if defined(__x86_64__)
enum { stack_pointer_number = 7 };
#else
enum { stack_pointer_number = 31 };
#endif

static muv_stack stack;
enum { deepest = 400 };
static uintptr_t counters[deepest], bases[deepest];

// The function's name, if the system and the C target agree about it.
static const char *name(uintptr_t address) {
    Dl_info info, own;
    if (!dladdr((void *)address, &info) || !dladdr((void *)run, &own)) return "?";
    if (info.dli_fbase != own.dli_fbase) return "libc";
    size_t offset;
    char *symbol = muv_symbol_copy(address, &offset);
    bool is_same = symbol && info.dli_sname && strcmp(symbol, info.dli_sname) == 0;
    free(symbol);
    return is_same ? info.dli_sname : "?";
}

// The functions' names, innermost first. Some that are expected to be many in a row count once.
static const char *trace(int count) {
    static char text[8192];
    const char *last = "";
    *text = 0;
    for (int index = 0; index < count; index++) {
        const char *next = name(counters[index] - (index == 0 ? 0 : 1));
        bool is_many = strcmp(next, "libc") == 0 || strcmp(next, "recurse") == 0;
        size_t length = strlen(text);
        if (!is_many || strcmp(next, last) != 0) snprintf(text + length, sizeof text - length, "%s ", next);
        last = next;
    }
    return text;
}

static void start(thread *thread, void (*body)(void), void (*wait)(void), bool has_alternate) {
    atomic_store(&arrived, 0);
    atomic_store(&released, 0);
    wait_here = wait;
    thread->body = body;
    thread->has_alternate = has_alternate;
    if (pthread_create(&thread->handle, NULL, run, thread) != 0) abort();
    while (!atomic_load(&arrived)) sched_yield();
}

static void finish(thread *thread) {
    atomic_store(&released, 1);
    if (wait_here == block && write(pipe_ends[1], "", 1) != 1) abort();
    pthread_join(thread->handle, NULL);
}

// Files of the thread's that the kernel tells by, where it is to be asked.
static bool asks_kernel;

static int open_file(const thread *thread, const char *name) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/%s", thread->number, name);
    return asks_kernel ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

static int capture(const thread *thread, int maximum) {
    muv_capture capture;
    muv_thread_files files = {open_file(thread, "syscall"), open_file(thread, "schedstat"), open_file(thread, "status")};
    muv_capture_begin(&capture, (uintptr_t)thread->handle, thread->range, files, &stack);
    muv_capture_state state = asks_kernel ? muv_capture_step(&capture) : muv_capture_ask(&capture);
    for (int tries = 0; state == muv_capture_goes_on && tries < 100000; tries++) {
        usleep(100);
        state = muv_capture_step(&capture);
    }
    if (state == muv_capture_goes_on) state = muv_capture_cancel(&capture);
    if (asks_kernel) {
        close(files.syscall);
        close(files.schedstat);
        close(files.status);
    }
    return state == muv_capture_succeeded ? muv_stack_unwind(&stack, counters, bases, maximum) : 0;
}

static void test_threads(bool has_alternate) {
    thread thread;
    start(&thread, sort, spin, has_alternate);
    const char *found = trace(capture(&thread, deepest));
    check(strcmp(found, "spin compare libc sort run libc ") == 0, "in a function without calls", found);
#if defined(__aarch64__) && defined(__OPTIMIZE__)
    check(stack.registers[30] == counters[1], "the return address is in its register", "it is not");
    // In code without a table, such as the linkage table, all else being as it was.
    stack.registers[muv_register_count - 1] = (uintptr_t)_init;
    found = trace(muv_stack_unwind(&stack, counters, bases, deepest));
    check(strcmp(found, "? compare libc sort run libc ") == 0, "in linkage", found);
    // In its first entry, which has pushed a pointer and the return address.
    stack.registers[31] -= 16;
    uintptr_t *top = (void *)(stack.bytes + (stack.registers[31] - stack.low));
    top[0] = (uintptr_t)&pipe_ends;
    top[1] = stack.registers[30];
    found = trace(muv_stack_unwind(&stack, counters, bases, deepest));
    check(strcmp(found, "? compare libc sort run libc ") == 0, "in linkage's first entry", found);
#endif
    finish(&thread);

    start(&thread, sort, block, has_alternate);
    do found = trace(capture(&thread, deepest)); while (strncmp(found, "libc block", 10) != 0 && *found); // on its way
    check(strcmp(found, "libc block compare libc sort run libc ") == 0, "in the kernel", found);
    // With what the kernel tells of a thread that waits: where it is, and nothing of its other registers.
    stack.known = 0;
    for (int index = 0; index < muv_register_count - 1; index++) {
        if (index == stack_pointer_number) stack.known |= 1ull << index;
        else stack.registers[index] = 0x1234;
    }
    found = trace(muv_stack_unwind(&stack, counters, bases, deepest));
    check(strcmp(found, "libc block compare libc sort run libc ") == 0, "in the kernel, by its stack alone", found);
    finish(&thread);

    padding = 0;
    start(&thread, recurse_200_deep, spin, has_alternate);
    int count = capture(&thread, 128);
    found = trace(count);
    check(count == 128 && strcmp(found, "spin recurse ") == 0, "128 of 200 calls", found);
    count = capture(&thread, deepest);
    found = trace(count);
    check(count > 202 && strcmp(found, "spin recurse recurse_200_deep run libc ") == 0, "all of 200 calls", found);
    finish(&thread);

    padding = 2048; // 200 times this is more than is copied of a stack
    start(&thread, recurse_200_deep, spin, has_alternate);
    count = capture(&thread, deepest);
    found = trace(count);
    check(count > 32 && count < 128 && strcmp(found, "spin recurse ") == 0, "a stack that is not all copied", found);
    finish(&thread);

    start(&thread, sort_again_and_again, spin, has_alternate);
    for (int round = 0; round < 300; round++) {
        static const char all[] = "compare libc sort sort_again_and_again run libc ";
        static const char least[] = "sort_again_and_again run libc ";
        found = trace(capture(&thread, deepest));
        const char *known = strncmp(found, "? ", 2) == 0 ? found + 2 : found; // linkage has no name
        size_t length = strlen(known);
        bool is_end = length <= strlen(all) && strcmp(all + strlen(all) - length, known) == 0;
        check(is_end && length >= strlen(least), "at any moment", found);
    }
    finish(&thread);
}

// What can be read is copied, also where the system does not copy it for the caller, as in emulators.
static void test_memory(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), text[8];
    if (pages == MAP_FAILED || mprotect(pages + page, page, PROT_NONE) != 0) abort();
    memcpy(pages + page - 4, "text", 4);
    check(muv_copy_memory((uintptr_t)pages + page - 4, text, 8) == 4, "memory up to its end", "not 4 bytes");
    check(memcmp(text, "text", 4) == 0, "memory", "not as it was");
    check(muv_copy_memory((uintptr_t)pages + page, text, 8) == 0, "memory that cannot be read", "not 0 bytes");
    check(muv_copy_memory(1, text, 8) == 0, "memory that does not exist", "not 0 bytes");
}

int main(void) {
    alarm(300); // rather than hang
    recurse_further = recurse;
    if (pipe(pipe_ends) != 0) abort();
    test_memory();
    test_threads(false);
    test_threads(true);
#if defined(__x86_64__)
    asks_kernel = true;
    test_threads(false);
#endif
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
