// Frames that tables do not describe: entries of linkage tables, and on arm64 the beginnings and ends of functions.
#pragma once
#include "unwind.h"

#define hidden __attribute__((visibility("hidden")))

// Returns whether code without a table has no frame of its own.
hidden bool muv_is_frameless(uintptr_t counter);

// Steps to the caller of such code.
hidden bool muv_step_out_of_frameless(const muv_stack *stack, frame *frame);

#if defined(__aarch64__)

// Steps to the address in the link register. False if no call precedes it.
hidden bool muv_step_by_link(frame *frame);

// Returns whether the innermost function has already left its frame, whatever its table says. The frame began at
// `base`.
hidden bool muv_is_gone(const muv_stack *stack, const frame *frame, const entry *entry, const row *row, uintptr_t base);

// Returns whether the word at `place` points to the instruction after a call.
hidden bool muv_has_return_address(const muv_stack *stack, uintptr_t place);

// Corrects `base` if it was computed from a stack pointer that may be too low. False if that is impossible.
hidden bool muv_find_base(const muv_stack *stack, const frame *frame, const row *row, uintptr_t *base);

#endif

#undef hidden
