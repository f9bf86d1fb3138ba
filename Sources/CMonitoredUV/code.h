// The frame layout that machine code shows where no table describes it. x86_64 only.
#pragma once
#include "frametable.h"

#if defined(__x86_64__)

enum call { no_call, some_call, call_of_this };

// Returns whether a call ends at `address`, and whether it calls `callee`, the start of a function.
__attribute__((visibility("hidden"))) enum call muv_call_before(uintptr_t address, uintptr_t callee);

// Returns the function that the call ending at `address` finally runs, through linkage tables and functions that only
// jump to another one; 0 if the call takes the function from a register or from memory.
__attribute__((visibility("hidden"))) uintptr_t muv_direct_target(uintptr_t address);

// Returns how far the stack pointer is below the frame pointer in a function between `begin` and `end`, from the code
// after `since`, where the frame pointer was set; -1 if it varies.
__attribute__((visibility("hidden"))) long muv_frame_size(uintptr_t begin, uintptr_t end, uintptr_t since);

// Returns how many bytes the function at `begin` has pushed, up to `end`, and whether its caller's frame pointer was
// first; -1 if the number varies.
__attribute__((visibility("hidden"))) long muv_pushed(uintptr_t begin, uintptr_t end, bool *has_pointer);

#endif
