#define _GNU_SOURCE
#include "frameless.h"
#include "unwind.h"

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))

#include "include/memory.h"
#include <string.h>

// Unwinds a copied stack. It reads only the copy, code and tables, the latter two by copying them, so that a damaged
// stack does no harm.

// MARK: Steps

// The registers that a function must preserve.
#if defined(__x86_64__)
enum { callee_saved = 1 << 3 | 1 << 6 | 1 << 7 | 0xf << 12 | 1 << 16 };
#else
static const uint64_t callee_saved = 0x1fffull << 19;
#endif

// Steps to the caller by the table, from a frame that ends at `base`.
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
    // The lookup code is described as if the two words that the linkage table pushes belonged to its caller.
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
// The kernel saved all registers on the stack when it ran a signal handler.
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

// `entry` is that of the last frame, which in a recursion is also this one's.
static enum step step_by_table(const muv_stack *stack, frame *frame, entry *entry) {
    uintptr_t counter = frame->registers[program_counter], address = counter - (frame->is_return_address ? 1 : 0);
    row row;
#if defined(__x86_64__)
    // Handlers return to code without a call in front of it.
    if (frame->is_return_address && muv_find_entry(counter, entry) && entry->is_signal_frame) {
        return step_out_of_signal(stack, frame) ? stepped : lost;
    }
#endif
    if (!(entry->has_table && is_of(entry, address)) && !muv_find_entry(address, entry)) {
        entry->size = 0;
        return lost;
    }
    if (!entry->has_table) {
        if (!frame->is_return_address && muv_is_frameless(counter) && muv_step_out_of_frameless(stack, frame)) return stepped;
#if defined(__x86_64__)
        if (muv_step_without_table(stack, frame, entry)) return stepped;
#endif
        return lost;
    }
    if (!muv_find_row(entry, address, &row)) return lost;
    if (row.registers[entry->return_register].rule == undefined) return outermost;
#if defined(__x86_64__)
    if (entry->is_signal_frame) return step_out_of_signal(stack, frame) ? stepped : lost;
    // Linkers that describe the linkage table use an expression.
    if (!row.base_is_known && !frame->is_return_address) return muv_step_out_of_frameless(stack, frame) ? stepped : lost;
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
    if (!muv_find_base(stack, frame, &row, &base)) return lost;
    if (muv_is_gone(stack, frame, entry, &row, base) && muv_step_by_link(frame)) return stepped;
#endif
    if (base <= frame->registers[stack_pointer] && frame->is_return_address) return lost; // frames only grow
    return step_by_row(stack, frame, entry, &row, base) ? stepped : lost;
}

#if defined(__aarch64__)
// Finds where a function has saved its caller's frame pointer and its return address: the first two words that may be
// these.
static uintptr_t find_frame_record(const muv_stack *stack, uintptr_t top) {
    for (uintptr_t at = (top + 15) & ~(uintptr_t)15; at < top + 4096; at += 16) {
        uintptr_t next, word;
        if (!muv_stack_read(stack, at, &next) || next <= at || next % 16 != 0) continue;
        if (muv_stack_read(stack, next, &word) && muv_has_return_address(stack, at + 8)) return at;
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

// A call to an address without code has left its return address on top of the stack, or in its register.
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
        // A table that gives the ends of frames is right; without one, anything that looks like a frame is taken for
        // one.
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
