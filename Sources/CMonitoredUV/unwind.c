#define _GNU_SOURCE
#include "unwind.h"

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))

#include "include/memory.h"
#include <string.h>

// Takes a copied stack apart. It reads nothing but the copy, code and tables, the latter two by copies, so that a damaged
// stack does no harm.

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
    if (!knows(frame, link_register)) return false;
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

// What a function must leave as it was.
#if defined(__x86_64__)
enum { callee_saved = 1 << 3 | 1 << 6 | 1 << 7 | 0xf << 12 | 1 << 16 };
#else
static const uint64_t callee_saved = 0x1fffull << 19;
#endif

// Goes on to the caller by what the table says, of a frame that ends at `base`.
static bool step_by_row(const muv_stack *stack, frame *frame, const entry *entry, const row *row, uintptr_t base) {
    struct frame next = *frame;
    for (int number = 0; number < register_count; number++) {
        int64_t value = row->registers[number].value;
        bool is_known = knows(frame, (uint64_t)number);
        switch (row->registers[number].rule) {
        case same: break;
        case at_offset: is_known = muv_stack_read(stack, base + (uintptr_t)value, &next.registers[number]); break;
        case in_register:
            is_known = value >= 0 && knows(frame, (uint64_t)value);
            if (is_known) next.registers[number] = frame->registers[value];
            break;
        default: is_known = false;
        }
        next.known = is_known ? next.known | 1ull << number : next.known & ~(1ull << number);
    }
    if (!knows(&next, entry->return_register)) return false;
#if defined(__x86_64__)
    if (row->registers[entry->return_register].rule == same) return false;
#endif
    uintptr_t caller = without_signature(next.registers[entry->return_register]);
    next.registers[stack_pointer] = base;
    next.known = (next.known & callee_saved) | 1ull << stack_pointer;
#if defined(__aarch64__)
    // What looks functions up is described as if the two words that the linkage table pushes were its caller's.
    bool is_saved = row->registers[link_register].rule == at_offset;
    if (is_saved && row->registers[link_register].value == 8) next.registers[stack_pointer] = base + 16;
    next.top = is_saved ? exact : guessed;
#endif
    next.registers[program_counter] = caller;
    next.is_return_address = !entry->is_signal_frame;
    *frame = next;
    return caller != 0;
}

#if defined(__x86_64__)
// The kernel has put all registers on the stack when it ran a signal handler.
static bool step_out_of_signal(const muv_stack *stack, frame *frame) {
    // r8-r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip
    static const int order[] = {8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7, program_counter};
    enum { count = sizeof order / sizeof *order };
    struct frame next = {.known = 0xffff};
    for (int index = 0; index < count; index++) {
        uintptr_t place = frame->registers[stack_pointer] + 40 + 8 * (uintptr_t)index;
        if (!muv_stack_read(stack, place, &next.registers[order[index]])) return false;
    }
    *frame = next;
    return frame->registers[program_counter] != 0;
}
#endif

enum step { stepped, lost, outermost };

// `entry` is that of the last frame, which in a recursion is this one's as well.
static enum step step_by_table(const muv_stack *stack, frame *frame, entry *entry) {
    uintptr_t counter = frame->registers[program_counter], address = counter - (frame->is_return_address ? 1 : 0);
    row row;
#if defined(__x86_64__)
    // Handlers return to where no call has left a return address.
    if (frame->is_return_address && muv_find_entry(counter, entry) && entry->is_signal_frame) {
        return step_out_of_signal(stack, frame) ? stepped : lost;
    }
#endif
    if (!(entry->has_table && is_of(entry, address)) && !muv_find_entry(address, entry)) {
        entry->size = 0;
        return lost;
    }
    if (!entry->has_table) {
        if (!frame->is_return_address && is_frameless(counter) && step_out_of_frameless(stack, frame)) return stepped;
#if defined(__x86_64__)
        if (muv_step_without_table(stack, frame, entry)) return stepped;
#endif
        return lost;
    }
    if (!muv_find_row(entry, address, &row)) return lost;
    if (row.registers[entry->return_register].rule == undefined) return outermost;
#if defined(__x86_64__)
    if (entry->is_signal_frame) return step_out_of_signal(stack, frame) ? stepped : lost;
    // The linkers that describe the linkage table do so by an expression.
    if (!row.base_is_known && !frame->is_return_address) return step_out_of_frameless(stack, frame) ? stepped : lost;
#endif
    if (!row.base_is_known || row.base_register >= register_count) return lost;
    uintptr_t base = frame->registers[row.base_register] + (uintptr_t)row.base_offset;
    if (!knows(frame, row.base_register)) {
#if defined(__x86_64__)
        base = row.base_register == frame_pointer ? muv_base_without_pointer(stack, frame, entry, &row) : 0;
#else
        base = 0;
#endif
        if (base == 0) return lost;
    }
#if defined(__aarch64__)
    if (!find_base(stack, frame, &row, &base)) return lost;
    if (is_gone(stack, frame, entry, &row, base) && step_by_link(frame)) return stepped;
#endif
    if (base <= frame->registers[stack_pointer] && frame->is_return_address) return lost; // frames only grow
    return step_by_row(stack, frame, entry, &row, base) ? stepped : lost;
}

#if defined(__aarch64__)
// Where a function has saved its caller's frame pointer and its return address: the first two words that may be those.
static uintptr_t find_frame_record(const muv_stack *stack, uintptr_t top) {
    for (uintptr_t at = (top + 15) & ~(uintptr_t)15; at < top + 4096; at += 16) {
        uintptr_t next, word;
        if (!muv_stack_read(stack, at, &next) || next <= at || next % 16 != 0) continue;
        if (muv_stack_read(stack, next, &word) && has_return_address(stack, at + 8)) return at;
    }
    return 0;
}
#endif

static bool step_by_frame_pointer(const muv_stack *stack, frame *frame) {
    uintptr_t base = frame->registers[frame_pointer], next, caller;
#if defined(__aarch64__)
    if (!knows(frame, frame_pointer)) base = find_frame_record(stack, frame->registers[stack_pointer]);
#else
    if (!knows(frame, frame_pointer)) return false;
#endif
    if (base < frame->registers[stack_pointer]) return false;
    if (!muv_stack_read(stack, base, &next)) return false;
    if (!muv_stack_read(stack, base + sizeof(uintptr_t), &caller)) return false;
    frame->registers[frame_pointer] = next;
    frame->known |= 1ull << frame_pointer;
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
    frame frame = {.known = stack->known};
    memcpy(frame.registers, stack->registers, sizeof frame.registers);
    int count = 0;
    entry entry;
    entry.has_table = false;
    entry.size = 0;
    while (count < maximum) {
        counters[count] = frame.registers[program_counter];
        bases[count] = knows(&frame, frame_pointer) ? frame.registers[frame_pointer] : 0;
        count++;
        struct frame before = frame;
        enum step step = step_by_table(stack, &frame, &entry);
        if (step == stepped) continue;
        bool is_code = muv_is_code(before.registers[program_counter]);
        // A table that says where frames end is right; without one, what looks like a frame is taken for one.
        frame = before;
        if (step == outermost || (is_code && entry.size > 0 && entry.has_table && count > 1)) break;
        if (count == 1 && !is_code ? step_out_of_nowhere(stack, &frame) : step_by_frame_pointer(stack, &frame)) continue;
        break;
    }
    return count;
}

#else

int muv_stack_unwind(const muv_stack *stack, uintptr_t *counters, uintptr_t *bases, int maximum) { return 0; }

#endif
