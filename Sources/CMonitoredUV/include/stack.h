// The stack of another thread, as it is at this moment. That of a thread that waits is copied without its noticing: the
// kernel tells where it is. One that computes is asked by a signal, whose handler copies and does nothing else. Copies are
// taken apart afterwards, on the thread that asked.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    muv_register_count = 34,          // by their numbers in DWARF; the last one is the program counter
    muv_stack_bytes = 128 * 1024,     // of deeper stacks the innermost part is copied
};

// Memory that a thread's stack pointer may point to.
typedef struct muv_stack_range {
    uintptr_t low, high;
} muv_stack_range;

typedef struct muv_stack {
    uintptr_t registers[muv_register_count];
    uint64_t known;                   // a bit for each of them; the program counter always is
    uintptr_t low;                    // where `bytes` were
    size_t count;
    bool is_waiting;                  // else it was computing
    long system_call;                 // that it waited in; -1 where it waited for memory
    _Alignas(16) unsigned char bytes[muv_stack_bytes];
} muv_stack;

// The calling thread, which from now on answers: its stack's range, and its number for the system. False if that cannot
// be told.
bool muv_stack_this_thread(muv_stack_range *range, int *number);

// Whether threads that compute tell their stacks in the handler of this signal.
bool muv_stack_is_signal(int number);

// Gives the calling thread a stack for signal handlers, unless it has one: its own may be used up. It goes with the
// thread.
void muv_stack_make_alternate(void);

// What the kernel tells of one thread: descriptors of its files in /proc, -1 where they cannot be had.
typedef struct muv_thread_files {
    int syscall, schedstat, status;
} muv_thread_files;

typedef enum muv_capture_state { muv_capture_goes_on, muv_capture_succeeded, muv_capture_failed } muv_capture_state;

// A capture under way.
typedef struct muv_capture {
    uintptr_t thread;                 // a pthread_t
    muv_stack_range range;
    muv_thread_files files;
    muv_stack *stack;                 // where to; to be left alone until the capture has ended
    bool was_running;                 // when it was looked at last; then:
    uint64_t since, ran, sleeps;      // from when on, how long it had run by then, and how often it had slept
    int slot;                         // of the signal that was sent
} muv_capture;

// Begins a capture, which muv_capture_step takes further.
void muv_capture_begin(
    muv_capture *capture, uintptr_t thread, muv_stack_range range, muv_thread_files files, muv_stack *stack
);

// Does what can be done without waiting; to be called again after 100 microseconds while it goes on. The thread must not
// end during the call. Failed: the thread uses another stack than its own, or computes and blocks the signal that it would
// have to be asked by, or waits where the kernel does not tell.
muv_capture_state muv_capture_step(muv_capture *capture);

// Asks the thread by the signal, whatever it does; muv_capture_step then sees to the rest.
muv_capture_state muv_capture_ask(muv_capture *capture);

// Gives a capture up, unless it has just come to its end.
muv_capture_state muv_capture_cancel(muv_capture *capture);

// The word at an address of the copy. False if it is not in it.
bool muv_stack_read(const muv_stack *stack, uintptr_t address, uintptr_t *word);

// The program counters of the copy's frames, innermost first: behind the first they are return addresses. `bases` are
// the values of the frame pointer register in each frame, 0 where that is not known. Gives their number.
int muv_stack_unwind(const muv_stack *stack, uintptr_t *counters, uintptr_t *bases, int maximum);

// The function that a call runs which returns to `address`, where the code tells: it names a function without a symbol.
// 0 where it does not.
uintptr_t muv_called_function(uintptr_t address);

// Whether code of the program or of a library is at `address`.
bool muv_is_code(uintptr_t address);

// The calling thread's number for the system, which no other thread has at the same time.
int muv_thread_number(void);

// Whether a debugger holds this process.
bool muv_is_traced(void);
