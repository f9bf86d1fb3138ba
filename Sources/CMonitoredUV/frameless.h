// What frames are where tables do not tell: entries of linkage tables, and on arm64 the beginnings and ends of functions.
#pragma once
#include "unwind.h"

#define hidden __attribute__((visibility("hidden")))

// Whether code without a table has no frame of its own.
hidden bool muv_is_frameless(uintptr_t counter);

// Goes on to the caller of such code.
hidden bool muv_step_out_of_frameless(const muv_stack *stack, frame *frame);

#if defined(__aarch64__)

// Goes on to where the link register leads. False if that is behind no call.
hidden bool muv_step_by_link(frame *frame);

// Whether the innermost function has left its frame already, whatever its table says: `base` is where that began.
hidden bool muv_is_gone(const muv_stack *stack, const frame *frame, const entry *entry, const row *row, uintptr_t base);

// Whether the word at `place` leads to behind a call.
hidden bool muv_has_return_address(const muv_stack *stack, uintptr_t place);

// Mends `base` where it was reckoned from a stack pointer that may be too low. False if it cannot be.
hidden bool muv_find_base(const muv_stack *stack, const frame *frame, const row *row, uintptr_t *base);

#endif

#undef hidden
