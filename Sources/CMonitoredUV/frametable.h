// What loaded files say of their functions: where they are, and how a caller's registers are found.
#pragma once
#include "include/stack.h"

#if defined(__x86_64__)
enum { stack_pointer = 7, frame_pointer = 6, register_count = 17 };
#else
enum { stack_pointer = 31, frame_pointer = 29, link_register = 30, register_count = 32 };
#endif
enum { program_counter = muv_register_count - 1 };

// A position in a copy of a loaded file's memory; reading beyond its end makes it fail, and everything that follows 0.
typedef struct cursor {
    const uint8_t *at, *end;
    uintptr_t distance; // from the copy to what was copied
    bool failed;
} cursor;

// A function's entry in its file's table; without one, the room between its neighbors'.
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

enum rule { same, at_offset, in_register, undefined, unknown };

// How the registers of a function's caller are found from the function's own, at one of its instructions.
typedef struct row {
    uint64_t base_register;
    int64_t base_offset;
    bool base_is_known;
    uintptr_t since; // from where on the base is in that register
    struct {
        enum rule rule;
        int64_t value;
    } registers[register_count];
} row;

// The function around `address`. False if that lies in no file's code.
__attribute__((visibility("hidden"))) bool muv_find_entry(uintptr_t address, entry *entry);

static inline bool is_of(const entry *entry, uintptr_t address) {
    return address >= entry->begin && address - entry->begin < entry->size;
}

// False without a table, and for one that is malformed.
__attribute__((visibility("hidden"))) bool muv_find_row(const entry *entry, uintptr_t address, row *row);
