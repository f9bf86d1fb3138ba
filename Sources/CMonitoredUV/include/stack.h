// The current stack of another thread. The stack of a waiting thread is copied without its noticing, because the kernel
// reports where it is. A thread on CPU is sent a signal, whose handler copies the stack and does nothing else. Copies
// are unwound afterward, on the thread that requested them.
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

// Prepares the calling thread to answer from now on. Returns its stack's range, and its number in the system. False if
// these are unknown.
bool muv_stack_this_thread(muv_stack_range *range, int *number);

// Returns whether threads on CPU copy their stacks in the handler of this signal.
bool muv_stack_is_signal(int number);

// Gives the calling thread an alternate stack for signal handlers, unless it has one: its own may be exhausted. It is
// freed when the thread ends.
void muv_stack_make_alternate(void);

// Descriptors of one thread's files in /proc, which hold the kernel's information about it; -1 if they are unavailable.
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

// Begins a capture, which muv_capture_step continues.
void muv_capture_begin(
    muv_capture *capture, uintptr_t thread, muv_stack_range range, muv_thread_files files, muv_stack *stack
);

// Does what can be done without waiting. Call it again after 100 microseconds while it returns muv_capture_goes_on. The
// thread must not end during the call. Fails if the thread uses a stack other than its own, or is on CPU and blocks the
// signal that would be sent to it, or waits where the kernel does not report its position.
muv_capture_state muv_capture_step(muv_capture *capture);

// Sends the signal to the thread, whatever it is doing; muv_capture_step does the rest.
muv_capture_state muv_capture_ask(muv_capture *capture);

// Cancels a capture, unless it has just ended.
muv_capture_state muv_capture_cancel(muv_capture *capture);

// Reads the word at an address of the copy. False if the copy does not contain it.
bool muv_stack_read(const muv_stack *stack, uintptr_t address, uintptr_t *word);

// Finds the program counters of the copy's frames, innermost first; all but the first are return addresses. `bases` are
// the values of the frame pointer register in each frame, 0 if unknown. Returns the number of frames.
int muv_stack_unwind(const muv_stack *stack, uintptr_t *counters, uintptr_t *bases, int maximum);

// Returns the function that is run by the call that returns to `address`, if the code shows it. Identifies functions
// without a symbol. 0 if the code does not show it.
uintptr_t muv_called_function(uintptr_t address);

// Returns whether `address` lies in code of the program or of a library.
bool muv_is_code(uintptr_t address);

// Returns the calling thread's number in the system, which no other thread has at the same time.
int muv_thread_number(void);

// Returns whether a debugger is attached to this process.
bool muv_is_traced(void);
