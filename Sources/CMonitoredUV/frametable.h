// The information that loaded files have about their functions: where they are, and how a caller's registers are found.
#pragma once
#include "cursor.h"
#include "include/stack.h"

#if defined(__x86_64__)
enum { stack_pointer = 7, frame_pointer = 6, register_count = 17 };
#else
enum { stack_pointer = 31, frame_pointer = 29, link_register = 30, register_count = 32 };
#endif
enum { program_counter = muv_register_count - 1 };

// A function's entry in its file's table; without one, the space between its neighbors' entries.
typedef struct entry {
    bool has_table;
    cursor common, own; // the instructions that many functions share, and those of this one
    uintptr_t begin, size;
    uint64_t code_alignment;
    int64_t data_alignment;
    uint64_t return_register;
    bool is_signal_frame;
    uint8_t common_bytes[512], own_bytes[8192]; // of larger ones the beginning
} entry;

// Finds the function around `address`. False if no file's code contains it.
__attribute__((visibility("hidden"))) bool muv_find_entry(uintptr_t address, entry *entry);

static inline bool is_of(const entry *entry, uintptr_t address) {
    return address >= entry->begin && address - entry->begin < entry->size;
}
