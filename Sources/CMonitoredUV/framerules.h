// The rules in a function's table for locating the registers of its caller.
#pragma once
#include "frametable.h"

enum rule { same, at_offset, in_register, undefined, unknown };

// The rules for finding the registers of a function's caller from its own, at one of its instructions.
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

// Finds the rules for `address`. False if there is no table, or if it is malformed.
__attribute__((visibility("hidden"))) bool muv_find_row(const entry *entry, uintptr_t address, row *row);
