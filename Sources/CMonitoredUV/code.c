#include "code.h"

#if defined(__linux__) && defined(__x86_64__)

#include "include/memory.h"
#include <string.h>

static int32_t word32(const uint8_t *code) {
    int32_t value;
    memcpy(&value, code, sizeof value);
    return value;
}

// Follows linkage tables and functions that only jump.
static uintptr_t follow(uintptr_t target) {
    uint8_t bytes[16];
    for (int hops = 0; hops < 8 && muv_is_code(target); hops++) {
        if (muv_copy_memory(target, bytes, sizeof bytes) != sizeof bytes) break;
        const uint8_t *code = bytes;
        if (memcmp(code, "\xf3\x0f\x1e\xfa", 4) == 0) code += 4; // endbr64
        if (*code == 0xf2) code++;                               // bnd
        uintptr_t place = target + (uintptr_t)(code - bytes);
        if (code[0] == 0xe9) {
            target = place + 5 + (uintptr_t)(intptr_t)word32(code + 1);
        } else if (code[0] == 0xeb) {
            target = place + 2 + (uintptr_t)(intptr_t)(int8_t)code[1];
        } else if (code[0] == 0xff && code[1] == 0x25) {
            uintptr_t next, cell = place + 6 + (uintptr_t)(intptr_t)word32(code + 2);
            if (muv_copy_memory(cell, &next, sizeof next) != sizeof next) break;
            target = next;
        } else {
            break;
        }
    }
    return target;
}

enum { longest_call = 7 };

// Copies the code that ends at `address`, where a call may end.
static bool copy_before(uintptr_t address, uint8_t code[longest_call]) {
    if (!muv_is_code(address) || !muv_is_code(address - longest_call)) return false;
    return muv_copy_memory(address - longest_call, code, longest_call) == longest_call;
}

static uintptr_t target_of(uintptr_t address, const uint8_t code[longest_call]) {
    if (code[2] != 0xe8) return 0;
    uintptr_t target = address + (uintptr_t)(intptr_t)word32(code + 3);
    return muv_is_code(target) ? follow(target) : 0;
}

uintptr_t muv_direct_target(uintptr_t address) {
    uint8_t code[longest_call];
    return copy_before(address, code) ? target_of(address, code) : 0;
}

uintptr_t muv_called_function(uintptr_t address) {
    uint8_t code[longest_call];
    uintptr_t target;
    if (!copy_before(address, code)) return 0;
    if ((target = target_of(address, code))) return target;
    if (code[1] != 0xff || code[2] != 0x15) return 0; // from memory
    uintptr_t cell = address + (uintptr_t)(intptr_t)word32(code + 3);
    return muv_copy_memory(cell, &target, sizeof target) == sizeof target ? follow(target) : 0;
}

enum call muv_call_before(uintptr_t address, uintptr_t callee) {
    uint8_t code[longest_call];
    if (!copy_before(address, code)) return no_call;
    uintptr_t target = target_of(address, code);
    if (target) return callee && target == callee ? call_of_this : some_call;
    // ff /2: through a register, or memory by any form of address.
    for (int length = 2; length <= longest_call; length++) {
        const uint8_t *call = code + longest_call - length;
        if (call[0] != 0xff || (call[1] >> 3 & 7) != 2) continue;
        int mode = call[1] >> 6, base = call[1] & 7;
        int expected = mode == 3 ? 2 : 2 + (base == 4) + (mode == 1 ? 1 : mode == 2 || base == 5 ? 4 : 0);
        if (mode == 0 && base == 4 && length > 2 && (call[2] & 7) == 5) expected += 4;
        if (expected == length) return some_call;
    }
    // Signal handlers return to code without a call in front of it.
    entry caller;
    return muv_find_entry(address, &caller) && caller.is_signal_frame ? some_call : no_call;
}

enum { piece = 4096, look_ahead = 8, longest_function = 64 * 1024 };

// Returns whether the function leaves its frame as functions with growing frames do: by `lea rsp, [rbp - n]`,
// or `mov rsp, rbp`.
static bool grows(uintptr_t from, uintptr_t end) {
    uint8_t code[piece];
    if (end - from > longest_function) end = from + longest_function;
    while (from + look_ahead < end) {
        size_t count = muv_copy_memory(from, code, end - from < piece ? end - from : piece);
        if (count < look_ahead) return false;
        for (size_t at = 0; at + 4 < count; at++) {
            if (code[at] != 0x48) continue;
            uint8_t operation = code[at + 1], operands = code[at + 2];
            if (operation == 0x8d && (operands == 0x65 || operands == 0xa5)) return true;
            if ((operation == 0x89 && operands == 0xec) || (operation == 0x8b && operands == 0xe5)) return true;
        }
        from += count - 4;
    }
    return false;
}

long muv_frame_size(uintptr_t begin, uintptr_t end, uintptr_t since) {
    uint8_t bytes[5 + 128];
    if (grows(since, end)) return -1;
    size_t count = since - begin >= 5 ? muv_copy_memory(since - 5, bytes, sizeof bytes) : 0;
    // Swift's async functions push their context first: `push rbp; push r14; lea rbp, [rsp + 8]`.
    bool is_async = count > 5 && memcmp(bytes, "\x48\x8d\x6c\x24", 4) == 0;
    long size = is_async ? (int8_t)bytes[4] : 0;
    memset(bytes, 0xcc, sizeof bytes);
    size_t room = end - since < sizeof bytes - look_ahead ? end - since : sizeof bytes - look_ahead;
    count = muv_copy_memory(since, bytes, room);
    const uint8_t *code = bytes, *last = bytes + count;
    for (int steps = 0; steps < 24 && code < last; steps++) {
        if (*code >= 0x50 && *code <= 0x57) size += 8, code += 1;                             // push
        else if (*code == 0x41 && code[1] >= 0x50 && code[1] <= 0x57) size += 8, code += 2;
        else if (memcmp(code, "\x48\x83\xec", 3) == 0) return size + (int8_t)code[3];         // sub rsp, n
        else if (memcmp(code, "\x48\x81\xec", 3) == 0) return size + word32(code + 3);
        else if (memcmp(code, "\x48\x83\xc4", 3) == 0) return size - (int8_t)code[3];         // add rsp, -128
        else if (memcmp(code, "\x48\x83\xe4", 3) == 0) return -1;                             // and rsp, -n
        // Optimizers put moves and clears of registers in between.
        else if ((*code & 0xf8) == 0x48 && (code[1] == 0x89 || code[1] == 0x8b) && code[2] >> 6 == 3) code += 3;
        else if ((*code == 0x89 || *code == 0x8b || *code == 0x31) && code[1] >> 6 == 3) code += 2;
        else if ((*code & 0xf0) == 0x40 && (code[1] == 0x89 || code[1] == 0x31) && code[2] >> 6 == 3) code += 3;
        else if ((*code & 0xf8) == 0x48 && (code[1] == 0x8b || code[1] == 0x8d || code[1] == 0x89) && code[2] >> 6 == 1)
            code += 4 + ((code[2] & 7) == 4);
        else break;
    }
    return size;
}

long muv_pushed(uintptr_t begin, uintptr_t end, bool *has_pointer) {
    uint8_t bytes[8];
    *has_pointer = false;
    if (muv_copy_memory(begin, bytes, sizeof bytes) != sizeof bytes) return -1;
    size_t skipped = memcmp(bytes, "\xf3\x0f\x1e\xfa", 4) == 0 ? 4 : 0;
    *has_pointer = memcmp(bytes + skipped, "\x55\x48\x89\xe5", 4) == 0;
    if (!*has_pointer) return muv_frame_size(begin, end, begin + skipped);
    long size = muv_frame_size(begin, end, begin + skipped + 4);
    return size < 0 ? -1 : size + 8;
}

#else

uintptr_t muv_called_function(uintptr_t address) {
    (void)address;
    return 0;
}

#endif
