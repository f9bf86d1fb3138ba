#include "frameless.h"

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))

#include "include/memory.h"

// Calls of functions in other libraries go through entries of a linkage table, which not all linkers describe.

#if defined(__x86_64__)

// Returns whether code without a table is such an entry.
bool muv_is_frameless(uintptr_t counter) {
    uint8_t code[16]; // jmp *address; push number; jmp to the first entry
    if (muv_copy_memory(counter & ~(uintptr_t)15, code, sizeof code) != sizeof code) return false;
    return code[0] == 0xff && code[1] == 0x25 && code[6] == 0x68 && code[11] == 0xe9;
}

// Some instructions of an entry run after a word was pushed.
bool muv_step_out_of_frameless(const muv_stack *stack, frame *frame) {
    uintptr_t top = frame->registers[stack_pointer], caller;
    if ((frame->registers[program_counter] & 15) >= 11) top += sizeof(uintptr_t);
    if (!muv_stack_read(stack, top, &caller) || caller == 0) return false;
    frame->registers[stack_pointer] = top + sizeof(uintptr_t);
    frame->registers[program_counter] = caller;
    frame->is_return_address = true;
    return true;
}

#else

// Unless asked to, which Swift's compiler does not do, compilers do not describe the effects of the first and the last
// few instructions of a function. Before the frame exists and after it is gone, the return address is in its register,
// and the frame pointer is the caller's.

static bool is_behind_call(uintptr_t address) {
    uint32_t code;
    if (muv_copy_memory(address - sizeof code, &code, sizeof code) != sizeof code) return false;
    return (code & 0xfc000000) == 0x94000000 || (code & 0xfefff000) == 0xd63f0000; // bl, blr
}

// Returns whether the code without a table is such an entry, or has no frame yet or anymore, judging by what follows.
bool muv_is_frameless(uintptr_t counter) {
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

bool muv_step_by_link(frame *frame) {
    if (!knows(frame, link_register)) return false;
    uintptr_t caller = without_signature(frame->registers[link_register]);
    if (!is_behind_call(caller)) return false;
    frame->registers[program_counter] = caller;
    frame->is_return_address = true;
    frame->top = guessed;
    return true;
}

// The first entry of the linkage table, which looks functions up, pushes two words: the return address, and a pointer
// to data.
bool muv_step_out_of_frameless(const muv_stack *stack, frame *frame) {
    uintptr_t top = frame->registers[stack_pointer], word, link;
    bool is_read = muv_stack_read(stack, top, &word) && muv_stack_read(stack, top + sizeof(uintptr_t), &link);
    if (is_read && link == frame->registers[link_register] && !muv_stack_read(stack, word, &word)) {
        frame->registers[stack_pointer] = top + 2 * sizeof(uintptr_t);
    }
    return muv_step_by_link(frame);
}

bool muv_is_gone(const muv_stack *stack, const frame *frame, const entry *entry, const row *row, uintptr_t base) {
    uintptr_t saved, link = without_signature(frame->registers[link_register]);
    if (frame->is_return_address || row->registers[link_register].rule != at_offset || is_of(entry, link)) return false;
    bool is_read = muv_stack_read(stack, base + (uintptr_t)row->registers[link_register].value, &saved);
    return !is_read || without_signature(saved) != link;
}

bool muv_has_return_address(const muv_stack *stack, uintptr_t place) {
    uintptr_t word;
    return muv_stack_read(stack, place, &word) && is_behind_call(without_signature(word));
}

bool muv_find_base(const muv_stack *stack, const frame *frame, const row *row, uintptr_t *base) {
    if (row->base_register != stack_pointer || frame->top == exact) return true;
    bool is_saved = row->registers[frame_pointer].rule == at_offset && row->registers[link_register].rule == at_offset;
    uintptr_t pointer = (uintptr_t)row->registers[frame_pointer].value;
    uintptr_t link = (uintptr_t)row->registers[link_register].value, word;
    // The frame pointer of a function that has one points to the place where the caller's is saved.
    uintptr_t other = frame->registers[frame_pointer] - pointer;
    if (!is_saved || !muv_has_return_address(stack, other + link)) return frame->top == guessed;
    // Others may just have saved it, so that it still is what they have saved. Where it is not this function that has but
    // the one it called, the return address next to it leads here.
    bool is_saved_only = frame->top == guessed
        && muv_stack_read(stack, *base + pointer, &word) && word == frame->registers[frame_pointer]
        && muv_stack_read(stack, *base + link, &word) && without_signature(word) != frame->registers[program_counter];
    if (!is_saved_only) *base = other;
    return true;
}

#endif

#endif
