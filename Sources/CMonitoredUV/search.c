#include "code.h"
#include "unwind.h"

#if defined(__linux__) && defined(__x86_64__)

// Frames whose end no table gives, because the frame pointer is unknown or there is no table: found from the code that
// set them up, or else by searching the stack upward for a return address that fits.

enum { searched_bytes = 32 * 1024, word = sizeof(uintptr_t) };

// Returns whether a caller that continues at `counter` with this frame pointer, and whose stack begins at `top`, agrees
// with its own table, and so do its callers.
static bool fits(const muv_stack *stack, uintptr_t counter, uintptr_t top, uintptr_t pointer, int levels) {
    entry caller;
    row row;
    uintptr_t next, base;
    if (muv_find_entry(counter, &caller) && caller.is_signal_frame) return true;
    if (!muv_find_entry(counter - 1, &caller)) return false;
    if (!muv_find_row(&caller, counter - 1, &row)) return true; // nothing is known against it
    if (row.registers[caller.return_register].rule == undefined) return true;
    if (!row.base_is_known) return false;
    if (row.base_register == frame_pointer) {
        // Its frame pointer is in the stack above, or it is not this one's caller.
        if (pointer < top || pointer % word != 0) return false;
        base = pointer + (uintptr_t)row.base_offset;
    } else if (row.base_register == stack_pointer) {
        base = top + (uintptr_t)row.base_offset;
    } else {
        return true;
    }
    if (base > stack->low + stack->count && stack->count == muv_stack_bytes) return true; // beyond what was copied
    if (!muv_stack_read(stack, base - word, &next)) return false;
    if (next == 0) return true;
    if (muv_call_before(next, 0) == no_call) return false;
    if (levels == 0) return true;
    uintptr_t above = pointer;
    if (row.registers[frame_pointer].rule == at_offset) {
        (void)muv_stack_read(stack, base + (uintptr_t)row.registers[frame_pointer].value, &above);
    }
    return fits(stack, next, base, above, levels - 1);
}

// Returns whether the frame of a function that begins at `begin` may end at `base`, with its caller's frame pointer at
// the end.
static enum call check(const muv_stack *stack, uintptr_t begin, uintptr_t base) {
    uintptr_t caller, pointer;
    if (base % 16 != 0 || !muv_stack_read(stack, base - word, &caller)) return no_call;
    enum call call = muv_call_before(caller, begin);
    if (call == no_call || !muv_stack_read(stack, base - 2 * word, &pointer)) return no_call;
    return fits(stack, caller, base, pointer, 2) ? call : no_call;
}

uintptr_t muv_base_without_pointer(const muv_stack *stack, const frame *frame, const entry *entry, const row *row) {
    long size = muv_frame_size(entry->begin, entry->begin + entry->size, row->since);
    uintptr_t low = frame->registers[stack_pointer] + (uintptr_t)(size < 0 ? 0 : size) + (uintptr_t)row->base_offset;
    if (size >= 0 && check(stack, entry->begin, low) != no_call) return low;
    // Takes the first one proven by a call of this very function, or else the first that fits.
    uintptr_t likely = 0;
    for (uintptr_t base = (low + 15) & ~(uintptr_t)15; base < low + searched_bytes; base += 16) {
        enum call call = check(stack, entry->begin, base);
        if (call == call_of_this) return base;
        if (call == some_call && !likely) likely = base;
    }
    return likely;
}

bool muv_step_without_table(const muv_stack *stack, frame *frame, const entry *entry) {
    uintptr_t top = frame->registers[stack_pointer], counter = frame->registers[program_counter];
    uintptr_t pointer = knows(frame, frame_pointer) ? frame->registers[frame_pointer] : 0;
    uintptr_t base = 0, caller;
    bool has_pointer = false;
    for (uintptr_t at = (top + 23) & ~(uintptr_t)15; at < top + searched_bytes; at += 16) {
        if (!muv_stack_read(stack, at - word, &caller)) break;
        if (muv_call_before(caller, 0) == no_call) continue;
        if (!fits(stack, caller, at, pointer ? pointer : at, 1) && check(stack, 0, at) == no_call) continue;
        uintptr_t target = muv_direct_target(caller);
        if (target >= entry->begin && target < counter) {
            // Proven if the called function has pushed exactly what lies between.
            bool pushes_pointer = false;
            long size = muv_pushed(target, counter, &pushes_pointer);
            if (size >= 0 && top + (uintptr_t)size + word == at) {
                base = at;
                has_pointer = pushes_pointer;
                break;
            }
        }
        if (base) continue;
        base = at;
        // A known frame pointer shows by itself whether it is this frame's; otherwise the pushed word must look like
        // one.
        uintptr_t pushed, above;
        has_pointer = pointer ? pointer == at - 2 * word
            : muv_stack_read(stack, at - 2 * word, &pushed) && pushed >= at && pushed % 16 == 0
                && muv_stack_read(stack, pushed + word, &above) && muv_call_before(above, 0) != no_call;
    }
    if (!base || !muv_stack_read(stack, base - word, &caller)) return false;
    if (has_pointer && muv_stack_read(stack, base - 2 * word, &frame->registers[frame_pointer])) {
        frame->known |= 1u << frame_pointer;
    }
    frame->registers[program_counter] = caller;
    frame->registers[stack_pointer] = base;
    frame->is_return_address = true;
    return true;
}

#endif
