// A frame of a copied stack, on the way from the innermost to the outermost.
#pragma once
#include "framerules.h"

typedef struct frame {
    uintptr_t registers[muv_register_count];
    uint64_t known; // a bit for each register; the program counter always is
    bool is_return_address;
    enum { exact, guessed, too_low } top; // what the stack pointer is
} frame;

static inline bool knows(const frame *frame, uint64_t number) {
    return number < register_count && frame->known >> number & 1;
}

static inline uintptr_t without_signature(uintptr_t address) {
#if defined(__aarch64__)
    return address & 0x0000ffffffffffff;
#else
    return address;
#endif
}

#if defined(__x86_64__)

// Returns the end of the frame of a function whose table depends on an unknown frame pointer; 0 if it is not found.
__attribute__((visibility("hidden")))
uintptr_t muv_base_without_pointer(const muv_stack *stack, const frame *frame, const entry *entry, const row *row);

// Steps to the caller of a function without a table.
__attribute__((visibility("hidden")))
bool muv_step_without_table(const muv_stack *stack, frame *frame, const entry *entry);

#endif
