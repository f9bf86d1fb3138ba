#define _GNU_SOURCE
#include "include/memory.h"
#include "include/stack.h"

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))

// Takes a copied stack apart by the tables that compilers write for exceptions (.eh_frame, in the format of DWARF's call
// frame information). It reads nothing but the copy and those tables, so that a damaged stack does no harm, and the
// tables by copies, for the thread may have gone on and unloaded their library. Where a function has no table, the frame
// pointer is followed.

#include <dlfcn.h>
#include <link.h>
#include <string.h>

#if defined(__x86_64__)
enum { stack_pointer = 7, frame_pointer = 6, register_count = 17 };
#else
enum { stack_pointer = 31, frame_pointer = 29, link_register = 30, register_count = 32 };
#endif
enum { program_counter = muv_register_count - 1 };

// MARK: Reading tables

// A position in a copy of a loaded file's memory; reading beyond its end makes it fail, and everything that follows 0.
typedef struct cursor {
    const uint8_t *at, *end;
    uintptr_t distance; // from the copy to what was copied
    bool failed;
} cursor;

static cursor copy(uintptr_t address, uint8_t *buffer, size_t size) {
    size = muv_copy_memory(address, buffer, size);
    return (cursor){buffer, buffer + size, address - (uintptr_t)buffer, size == 0};
}

static uint64_t read_fixed(cursor *from, size_t size) {
    uint64_t value = 0;
    if (from->failed || (size_t)(from->end - from->at) < size) {
        from->failed = true;
        return 0;
    }
    memcpy(&value, from->at, size);
    from->at += size;
    return value;
}

static uint64_t read_uleb(cursor *from) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = (uint8_t)read_fixed(from, 1);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) break;
    }
    return value;
}

static int64_t read_sleb(cursor *from) {
    int64_t value = 0;
    for (unsigned shift = 0; shift < 64;) {
        uint8_t byte = (uint8_t)read_fixed(from, 1);
        value |= (int64_t)((uint64_t)(byte & 0x7f) << shift);
        shift += 7;
        if (byte & 0x80) continue;
        if (shift < 64 && (byte & 0x40)) value |= -((int64_t)1 << shift);
        break;
    }
    return value;
}

static void skip(cursor *from, uint64_t count) {
    if (from->failed || (uint64_t)(from->end - from->at) < count) from->failed = true;
    else from->at += count;
}

// The value's form, without what it is relative to.
static uint64_t read_form(cursor *from, uint8_t encoding) {
    switch (encoding & 0x0f) {
    case 0x00: return read_fixed(from, sizeof(uintptr_t));
    case 0x01: return read_uleb(from);
    case 0x02: return read_fixed(from, 2);
    case 0x03: return read_fixed(from, 4);
    case 0x04: return read_fixed(from, 8);
    case 0x09: return (uint64_t)read_sleb(from);
    case 0x0a: return (uint64_t)(int64_t)(int16_t)read_fixed(from, 2);
    case 0x0b: return (uint64_t)(int64_t)(int32_t)read_fixed(from, 4);
    case 0x0c: return read_fixed(from, 8);
    default: from->failed = true; return 0;
    }
}

// An address that is absolute or relative to where it stands.
static uintptr_t read_address(cursor *from, uint8_t encoding) {
    uintptr_t place = (uintptr_t)from->at + from->distance;
    uint64_t value = read_form(from, encoding);
    if ((encoding & 0x70) == 0x10) value += place;
    else if ((encoding & 0x70) != 0x00) from->failed = true;
    return (uintptr_t)value;
}

// MARK: Finding a function's entry

typedef struct entry {
    cursor common, own; // the instructions that many functions share, and those of this one
    uintptr_t begin, size;
    uint64_t code_alignment;
    int64_t data_alignment;
    uint64_t return_register;
    bool is_signal_frame;
    uint8_t common_bytes[512], own_bytes[2048]; // few are larger
} entry;

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
// Takes no lock, unlike dl_iterate_phdr: another thread may be stuck in dlopen.
static uintptr_t find_table(uintptr_t address) {
    struct dl_find_object found;
    if (_dl_find_object((void *)address, &found) != 0) return 0;
    return (uintptr_t)found.dlfo_eh_frame; // may lie in another segment than the one that `found` tells of
}
#else
typedef struct search {
    uintptr_t address, table;
} search;

static int look(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    search *search = context;
    uintptr_t table = 0;
    bool is_here = false;
    for (int index = 0; index < info->dlpi_phnum; index++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[index];
        uintptr_t begin = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_GNU_EH_FRAME) table = begin;
        if (header->p_type != PT_LOAD) continue;
        if (search->address >= begin && search->address < begin + header->p_memsz) is_here = true;
    }
    if (is_here) *search = (struct search){search->address, table};
    return is_here;
}

static uintptr_t find_table(uintptr_t address) {
    search search = {address, 0};
    dl_iterate_phdr(look, &search);
    return search.table;
}
#endif

static bool read_entry(uintptr_t place, entry *entry);

static bool is_of(const entry *entry, uintptr_t address) {
    return address >= entry->begin && address - entry->begin < entry->size;
}

static bool find_entry(uintptr_t address, entry *entry) {
    uintptr_t table = find_table(address);
    if (table == 0) return false;
    uint8_t head[32];
    cursor from = copy(table, head, sizeof head);
    uint8_t version = (uint8_t)read_fixed(&from, 1), frames = (uint8_t)read_fixed(&from, 1);
    uint8_t counts = (uint8_t)read_fixed(&from, 1), rows = (uint8_t)read_fixed(&from, 1);
    if (version != 1 || rows != 0x3b) return false; // sorted, relative to the table, 4 bytes
    read_address(&from, frames);
    uint64_t count = read_form(&from, counts);
    uintptr_t first = (uintptr_t)from.at + from.distance;
    if (from.failed || count == 0 || count > UINT32_MAX) return false;
    int32_t found[64][2]; // where functions begin, and their records
    uint64_t low = 0, high = count; // the function's row is at low or behind it, and before high
    while (high - low > 64) {
        uint64_t middle = low + (high - low) / 2;
        if (muv_copy_memory(first + middle * 8, found, sizeof found[0]) != sizeof found[0]) return false;
        if (table + (uintptr_t)(intptr_t)found[0][0] <= address) low = middle;
        else high = middle;
    }
    if (muv_copy_memory(first + low * 8, found, (high - low) * 8) != (high - low) * 8) return false;
    uint64_t row = high - low;
    while (row > 0 && table + (uintptr_t)(intptr_t)found[row - 1][0] > address) row--;
    if (row == 0 || !read_entry(table + (uintptr_t)(intptr_t)found[row - 1][1], entry)) return false;
    return is_of(entry, address);
}

// A record's contents, which begin with its length.
static bool enter_record(cursor *from) {
    uint64_t length = read_fixed(from, 4);
    if (from->failed || length == 0 || length == 0xffffffff || length > (uint64_t)(from->end - from->at)) return false;
    from->end = from->at + length;
    return true;
}

static bool read_entry(uintptr_t place, entry *entry) {
    cursor own = copy(place, entry->own_bytes, sizeof entry->own_bytes);
    if (!enter_record(&own)) return false;
    uintptr_t reference = (uintptr_t)own.at + own.distance;
    uint64_t back = read_fixed(&own, 4);
    if (own.failed || back == 0 || back > reference) return false;
    cursor common = copy(reference - back, entry->common_bytes, sizeof entry->common_bytes);
    if (!enter_record(&common) || read_fixed(&common, 4) != 0) return false;
    uint8_t version = (uint8_t)read_fixed(&common, 1);
    const char *augmentation = (const char *)common.at;
    size_t length = strnlen(augmentation, (size_t)(common.end - common.at));
    skip(&common, length + 1);
    entry->code_alignment = read_uleb(&common);
    entry->data_alignment = read_sleb(&common);
    entry->return_register = version == 1 ? read_fixed(&common, 1) : read_uleb(&common);
    entry->is_signal_frame = false;
    uint8_t encoding = 0x00;
    if (length > 0 && augmentation[0] == 'z') {
        uint64_t size = read_uleb(&common);
        cursor data = common;
        skip(&common, size);
        for (size_t index = 1; index < length; index++) {
            switch (augmentation[index]) {
            case 'R': encoding = (uint8_t)read_fixed(&data, 1); break;
            case 'L': read_fixed(&data, 1); break;
            case 'P': {
                uint8_t form = (uint8_t)read_fixed(&data, 1);
                read_form(&data, form);
                break;
            }
            case 'S': entry->is_signal_frame = true; break;
            case 'B': break; // return addresses are signed on arm64
            default: index = length; break;
            }
        }
        if (data.failed) return false;
    } else if (length > 0) {
        return false;
    }
    entry->begin = read_address(&own, encoding);
    entry->size = (uintptr_t)read_form(&own, encoding);
    if (length > 0) skip(&own, read_uleb(&own));
    entry->common = common;
    entry->own = own;
    return !common.failed && !own.failed && entry->return_register < register_count;
}

// MARK: Running an entry's instructions

enum rule { same, at_offset, in_register, undefined, unknown };

typedef struct row {
    uint64_t base_register;
    int64_t base_offset;
    bool base_is_known;
    struct {
        enum rule rule;
        int64_t value;
    } registers[register_count];
} row;

static void set_rule(row *row, uint64_t number, enum rule rule, int64_t value) {
    if (number >= register_count) return; // vectors and the like
    row->registers[number].rule = rule;
    row->registers[number].value = value;
}

// Runs instructions until those for `address` are through. False for what is malformed or not known.
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
                break;
            case 0x0d: row->base_register = read_uleb(&from); break;                // def_cfa_register
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

// MARK: Frames

typedef struct frame {
    uintptr_t registers[muv_register_count];
    bool is_return_address;
    enum { exact, guessed, too_low } top; // what the stack pointer is
} frame;

static uintptr_t without_signature(uintptr_t address) {
#if defined(__aarch64__)
    return address & 0x0000ffffffffffff;
#else
    return address;
#endif
}

// MARK: Where tables do not tell

// Calls of functions in other libraries go through entries of a linkage table, which not all linkers describe.

#if defined(__x86_64__)

// Whether code without a table is such an entry.
static bool is_frameless(uintptr_t counter) {
    uint8_t code[16]; // jmp *address; push number; jmp to the first entry
    if (muv_copy_memory(counter & ~(uintptr_t)15, code, sizeof code) != sizeof code) return false;
    return code[0] == 0xff && code[1] == 0x25 && code[6] == 0x68 && code[11] == 0xe9;
}

// Some of an entry's instructions have pushed a word.
static bool step_out_of_frameless(const muv_stack *stack, frame *frame) {
    uintptr_t top = frame->registers[stack_pointer], caller;
    if ((frame->registers[program_counter] & 15) >= 11) top += sizeof(uintptr_t);
    if (!muv_stack_read(stack, top, &caller) || caller == 0) return false;
    frame->registers[stack_pointer] = top + sizeof(uintptr_t);
    frame->registers[program_counter] = caller;
    frame->is_return_address = true;
    return true;
}

#else

// Unless they are asked to, which Swift's compiler does not do, compilers do not describe what the first and the last few
// instructions of a function do. Before and after the frame is there the return address is in its register, and the frame
// pointer is the caller's.

static bool is_behind_call(uintptr_t address) {
    uint32_t code;
    if (muv_copy_memory(address - sizeof code, &code, sizeof code) != sizeof code) return false;
    return (code & 0xfc000000) == 0x94000000 || (code & 0xfefff000) == 0xd63f0000; // bl, blr
}

// Whether code without a table is such an entry, or has no frame yet or any more, to judge by what it does next.
static bool is_frameless(uintptr_t counter) {
    uint32_t code[64];
    size_t count = muv_copy_memory(counter, code, sizeof code) / sizeof *code;
    for (size_t index = 0; index < count; index++) {
        if ((code[index] & 0xfe407fff) == 0xa8407bfd) return false; // ldp x29, x30, [sp...
        if ((code[index] & 0xfe407fff) == 0xa8007bfd) return true;  // stp x29, x30, [sp...
        if ((code[index] & 0xff8003ff) == 0x910003fd) return true;  // add x29, sp, ...
        if (code[index] == 0xd61f0220 || code[index] == 0xd65f03c0) return true; // br x17, ret
    }
    return false;
}

static bool step_by_link(frame *frame) {
    uintptr_t caller = without_signature(frame->registers[link_register]);
    if (!is_behind_call(caller)) return false;
    frame->registers[program_counter] = caller;
    frame->is_return_address = true;
    frame->top = guessed;
    return true;
}

// The linkage table's first entry, which has functions looked up, pushes two words: the return address, and a pointer to
// data.
static bool step_out_of_frameless(const muv_stack *stack, frame *frame) {
    uintptr_t top = frame->registers[stack_pointer], word, link;
    bool is_read = muv_stack_read(stack, top, &word) && muv_stack_read(stack, top + sizeof(uintptr_t), &link);
    if (is_read && link == frame->registers[link_register] && !muv_stack_read(stack, word, &word)) {
        frame->registers[stack_pointer] = top + 2 * sizeof(uintptr_t);
    }
    return step_by_link(frame);
}

// Whether the innermost function has left its frame already, whatever its table says: `base` is where that began.
static bool is_gone(const muv_stack *stack, const frame *frame, const entry *entry, const row *row, uintptr_t base) {
    uintptr_t saved, link = without_signature(frame->registers[link_register]);
    if (frame->is_return_address || row->registers[link_register].rule != at_offset || is_of(entry, link)) return false;
    bool is_read = muv_stack_read(stack, base + (uintptr_t)row->registers[link_register].value, &saved);
    return !is_read || without_signature(saved) != link;
}

static bool has_return_address(const muv_stack *stack, uintptr_t place) {
    uintptr_t word;
    return muv_stack_read(stack, place, &word) && is_behind_call(without_signature(word));
}

// Mends `base` where it was reckoned from a stack pointer that may be too low. False if it cannot be.
static bool find_base(const muv_stack *stack, const frame *frame, const row *row, uintptr_t *base) {
    if (row->base_register != stack_pointer || frame->top == exact) return true;
    bool is_saved = row->registers[frame_pointer].rule == at_offset && row->registers[link_register].rule == at_offset;
    uintptr_t pointer = (uintptr_t)row->registers[frame_pointer].value;
    uintptr_t link = (uintptr_t)row->registers[link_register].value, word;
    // Functions that have a frame pointer have it point to where they have saved their caller's.
    uintptr_t other = frame->registers[frame_pointer] - pointer;
    if (!is_saved || !has_return_address(stack, other + link)) return frame->top == guessed;
    // Others may just have saved it, so that it still is what they have saved. Where it is not this function that has but
    // the one it called, the return address next to it leads here.
    bool is_saved_only = frame->top == guessed
        && muv_stack_read(stack, *base + pointer, &word) && word == frame->registers[frame_pointer]
        && muv_stack_read(stack, *base + link, &word) && without_signature(word) != frame->registers[program_counter];
    if (!is_saved_only) *base = other;
    return true;
}

#endif

// MARK: Steps

// `entry` is that of the last frame, which in a recursion is this one's as well.
static bool step_by_table(const muv_stack *stack, frame *frame, entry *entry) {
    uintptr_t counter = frame->registers[program_counter], address = counter - (frame->is_return_address ? 1 : 0);
    if (!is_of(entry, address) && !find_entry(address, entry)) {
        entry->size = 0;
        return !frame->is_return_address && is_frameless(counter) && step_out_of_frameless(stack, frame);
    }
    row initial, row;
    memset(&initial, 0, sizeof initial);
    if (!run(entry->common, entry, UINTPTR_MAX, &initial, NULL)) return false;
    row = initial;
    if (!run(entry->own, entry, address, &row, &initial)) return false;
#if defined(__x86_64__)
    // The linkers that describe the linkage table do so by an expression.
    if (!row.base_is_known && !frame->is_return_address) return step_out_of_frameless(stack, frame);
#endif
    if (!row.base_is_known || row.base_register >= register_count) return false;
    uintptr_t base = frame->registers[row.base_register] + (uintptr_t)row.base_offset;
#if defined(__aarch64__)
    if (!find_base(stack, frame, &row, &base)) return false;
    if (is_gone(stack, frame, entry, &row, base) && step_by_link(frame)) return true;
#endif
    if (base <= frame->registers[stack_pointer] && frame->is_return_address) return false; // frames only grow
    uintptr_t next[register_count];
    memcpy(next, frame->registers, sizeof next);
    for (int number = 0; number < register_count; number++) {
        int64_t value = row.registers[number].value;
        switch (row.registers[number].rule) {
        case same: break;
        case at_offset:
            if (!muv_stack_read(stack, base + (uintptr_t)value, &next[number])) return false;
            break;
        case in_register:
            if (value < 0 || value >= register_count) return false;
            next[number] = frame->registers[value];
            break;
        case undefined:
            if ((uint64_t)number == entry->return_register) return false; // the outermost
            break;
        case unknown:
            if ((uint64_t)number == entry->return_register) return false;
            next[number] = 0;
            break;
        }
    }
    uintptr_t caller = without_signature(next[entry->return_register]);
    memcpy(frame->registers, next, sizeof next);
    frame->registers[stack_pointer] = base;
#if defined(__aarch64__)
    // What looks functions up is described as if the two words that the linkage table pushes were its caller's.
    bool is_saved = row.registers[link_register].rule == at_offset;
    if (is_saved && row.registers[link_register].value == 8) frame->registers[stack_pointer] = base + 16;
    frame->top = is_saved ? exact : guessed;
#endif
    frame->registers[program_counter] = caller;
    frame->is_return_address = !entry->is_signal_frame;
    return caller != 0;
}

static bool step_by_frame_pointer(const muv_stack *stack, frame *frame) {
    uintptr_t base = frame->registers[frame_pointer], next, caller;
    if (base < frame->registers[stack_pointer]) return false;
    if (!muv_stack_read(stack, base, &next)) return false;
    if (!muv_stack_read(stack, base + sizeof(uintptr_t), &caller)) return false;
    frame->registers[frame_pointer] = next;
    frame->registers[stack_pointer] = base + 2 * sizeof(uintptr_t);
    frame->registers[program_counter] = without_signature(caller);
    frame->is_return_address = true;
#if defined(__aarch64__)
    frame->top = too_low; // frames go on above the two words
#endif
    return frame->registers[program_counter] != 0;
}

// A call to where no code is has left its return address on top, or in its register.
static bool step_out_of_nowhere(const muv_stack *stack, frame *frame) {
    uintptr_t caller;
#if defined(__x86_64__)
    if (!muv_stack_read(stack, frame->registers[stack_pointer], &caller)) return false;
    frame->registers[stack_pointer] += sizeof(uintptr_t);
#else
    (void)stack;
    caller = frame->registers[link_register];
    frame->top = guessed;
#endif
    frame->registers[program_counter] = without_signature(caller);
    frame->is_return_address = true;
    return caller != 0;
}

int muv_stack_unwind(const muv_stack *stack, uintptr_t *counters, uintptr_t *bases, int maximum) {
    frame frame = {.is_return_address = false};
    memcpy(frame.registers, stack->registers, sizeof frame.registers);
    int count = 0;
    entry entry;
    entry.begin = entry.size = 0;
    while (count < maximum) {
        counters[count] = frame.registers[program_counter];
        bases[count] = frame.registers[frame_pointer];
        count++;
        struct frame before = frame;
        if (step_by_table(stack, &frame, &entry)) continue;
        bool is_code = find_table(before.registers[program_counter]) != 0;
        // A table that says where frames end is right; without one, what looks like a frame is taken for one.
        frame = before;
        if (is_code && entry.size > 0 && count > 1) break;
        if (count == 1 && !is_code ? step_out_of_nowhere(stack, &frame) : step_by_frame_pointer(stack, &frame)) continue;
        break;
    }
    return count;
}

#else

int muv_stack_unwind(const muv_stack *stack, uintptr_t *counters, uintptr_t *bases, int maximum) { return 0; }

#endif
