#include "framerules.h"

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))

static void set_rule(row *row, uint64_t number, enum rule rule, int64_t value) {
    if (number >= register_count) return; // vectors and the like
    row->registers[number].rule = rule;
    row->registers[number].value = value;
}

// Runs instructions until those for `address` are done. False for malformed or unknown ones.
static bool run(cursor from, const entry *entry, uintptr_t address, row *row, const struct row *initial) {
    uintptr_t location = entry->begin;
    struct row saved[8];
    int depth = 0;
    while (from.at < from.end) {
        uint8_t instruction = (uint8_t)read_fixed(&from, 1);
        uint64_t low = instruction & 0x3f, number;
        uint64_t advance = 0;
        switch (instruction & 0xc0) {
        case 0x40: advance = low; break;
        case 0x80: set_rule(row, low, at_offset, (int64_t)read_uleb(&from) * entry->data_alignment); break;
        case 0xc0:
            if (initial && low < register_count) row->registers[low] = initial->registers[low];
            break;
        default:
            switch (instruction) {
            case 0x00: break;                                                       // nop
            case 0x01: return false;                                                // set_loc
            case 0x02: advance = read_fixed(&from, 1); break;                       // advance_loc1
            case 0x03: advance = read_fixed(&from, 2); break;
            case 0x04: advance = read_fixed(&from, 4); break;
            case 0x05:                                                              // offset_extended
                number = read_uleb(&from);
                set_rule(row, number, at_offset, (int64_t)read_uleb(&from) * entry->data_alignment);
                break;
            case 0x06:                                                              // restore_extended
                number = read_uleb(&from);
                if (initial && number < register_count) row->registers[number] = initial->registers[number];
                break;
            case 0x07: set_rule(row, read_uleb(&from), undefined, 0); break;
            case 0x08: set_rule(row, read_uleb(&from), same, 0); break;
            case 0x09:                                                              // register
                number = read_uleb(&from);
                set_rule(row, number, in_register, (int64_t)read_uleb(&from));
                break;
            case 0x0a:                                                              // remember_state
                if (depth == 8) return false;
                saved[depth++] = *row;
                break;
            case 0x0b:                                                              // restore_state
                if (depth == 0) return false;
                *row = saved[--depth];
                break;
            case 0x0c:                                                              // def_cfa
                row->base_register = read_uleb(&from);
                row->base_offset = (int64_t)read_uleb(&from);
                row->base_is_known = true;
                row->since = location;
                break;
            case 0x0d:                                                              // def_cfa_register
                row->base_register = read_uleb(&from);
                row->since = location;
                break;
            case 0x0e: row->base_offset = (int64_t)read_uleb(&from); break;         // def_cfa_offset
            case 0x0f:                                                              // def_cfa_expression
                skip(&from, read_uleb(&from));
                row->base_is_known = false;
                break;
            case 0x10: case 0x16:                                                   // expression, val_expression
                set_rule(row, read_uleb(&from), unknown, 0);
                skip(&from, read_uleb(&from));
                break;
            case 0x11:                                                              // offset_extended_sf
                number = read_uleb(&from);
                set_rule(row, number, at_offset, read_sleb(&from) * entry->data_alignment);
                break;
            case 0x12:                                                              // def_cfa_sf
                row->base_register = read_uleb(&from);
                row->base_offset = read_sleb(&from) * entry->data_alignment;
                row->base_is_known = true;
                row->since = location;
                break;
            case 0x13: row->base_offset = read_sleb(&from) * entry->data_alignment; break;
            case 0x2d: break;                                                       // arm64: signs return addresses
            case 0x2e: read_uleb(&from); break;                                     // GNU_args_size
            default: return false;
            }
        }
        if (from.failed) return false;
        location += advance * entry->code_alignment;
        if (location > address) break;
    }
    return true;
}

bool muv_find_row(const entry *entry, uintptr_t address, row *row) {
    struct row initial;
    memset(&initial, 0, sizeof initial);
    if (!entry->has_table || !run(entry->common, entry, UINTPTR_MAX, &initial, NULL)) return false;
    initial.since = entry->begin;
    *row = initial;
    return run(entry->own, entry, address, row, &initial);
}

#endif
