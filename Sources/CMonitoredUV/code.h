// What machine code tells of the frames that it makes, where no table does: x86_64 alone.
#pragma once
#include "frametable.h"

#if defined(__x86_64__)

enum call { no_call, some_call, call_of_this };

// Whether a call ends at `address`, and whether it is one of `callee`, the beginning of a function.
__attribute__((visibility("hidden"))) enum call muv_call_before(uintptr_t address, uintptr_t callee);

// What the call that ends at `address` runs in the end, through linkage tables and functions that only jump to another
// one; 0 if it takes the function from a register or from memory.
__attribute__((visibility("hidden"))) uintptr_t muv_direct_target(uintptr_t address);

// How far the stack pointer is below the frame pointer, from the code behind the place `since` at which that was set, in
// a function that lies between `begin` and `end`; -1 if it varies.
__attribute__((visibility("hidden"))) long muv_frame_size(uintptr_t begin, uintptr_t end, uintptr_t since);

// How much a function has pushed that begins at `begin`, up to `end`, and whether its caller's frame pointer was first;
// -1 if it varies.
__attribute__((visibility("hidden"))) long muv_pushed(uintptr_t begin, uintptr_t end, bool *has_pointer);

#endif
