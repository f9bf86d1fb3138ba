// The stack of another thread, as it is at this moment: copied by a signal handler on that thread, which does nothing
// else, and taken apart afterwards on the thread that asked.
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
    uintptr_t low;                    // where `bytes` were
    size_t count;
    _Alignas(16) unsigned char bytes[muv_stack_bytes];
} muv_stack;

// Whether stacks can be captured here; to be asked before anything else.
bool muv_stack_is_supported(void);

// The calling thread, which from now on answers: its stack's range, and its number for the system. False if that cannot
// be told.
bool muv_stack_this_thread(muv_stack_range *range, int *number);

// Gives the calling thread a stack for signal handlers, unless it has one: its own may be used up. It goes with the
// thread.
void muv_stack_make_alternate(void);

// Copies the stack of `thread`, a pthread_t, into `stack`. The thread must exist for as long as this takes; one thread
// at a time may call it. False if the thread did not answer in time, which is when it blocks signals.
bool muv_stack_capture(uintptr_t thread, muv_stack_range range, int milliseconds, muv_stack *stack);

// The word at an address of the copy. False if it is not in it.
bool muv_stack_read(const muv_stack *stack, uintptr_t address, uintptr_t *word);

// The program counters of the copy's frames, innermost first: behind the first they are return addresses. `bases` are
// the values of the frame pointer register in each frame. Gives their number.
int muv_stack_unwind(const muv_stack *stack, uintptr_t *counters, uintptr_t *bases, int maximum);

// The calling thread's number for the system, which no other thread has at the same time.
int muv_thread_number(void);

// Whether a debugger holds this process.
bool muv_is_traced(void);
