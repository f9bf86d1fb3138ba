#define _GNU_SOURCE
#include "waiting.h"

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))

#include "frametable.h"
#include "include/memory.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { status_size = 16 * 1024 }; // most of it is the lists of groups and processors

static bool read_text(int descriptor, char *text, size_t size) {
    ssize_t count = descriptor < 0 ? -1 : pread(descriptor, text, size - 1, 0);
    if (count <= 0) return false;
    text[count] = 0;
    return true;
}

// Parses a system call's number and arguments, or -1; then the stack pointer and the program counter.
static bool parse(const char *text, muv_stack *stack) {
    char *at;
    stack->system_call = strtol(text, &at, 10);
    if (at == text) return false;
    uintptr_t arguments[6] = {0};
    for (int index = 0; stack->system_call >= 0 && index < 6; index++) arguments[index] = strtoul(at, &at, 16);
    memset(stack->registers, 0, sizeof stack->registers);
    stack->registers[stack_pointer] = strtoul(at, &at, 16);
    stack->registers[program_counter] = strtoul(at, &at, 16);
    stack->known = 1ull << stack_pointer;
    // The arguments are registers, too; on x86_64, vfork keeps its return address in one of them.
#if defined(__x86_64__)
    static const int numbers[] = {5, 4, 1, 10, 8, 9}; // rdi, rsi, rdx, r10, r8, r9
#else
    static const int numbers[] = {0, 1, 2, 3, 4, 5};
#endif
    for (int index = 0; stack->system_call >= 0 && index < 6; index++) {
        stack->registers[numbers[index]] = arguments[index];
        stack->known |= 1ull << numbers[index];
    }
    return stack->registers[stack_pointer] != 0 && stack->registers[program_counter] != 0;
}

enum muv_copy_result muv_copy_waiting(const muv_thread_files *files, muv_stack_range range, muv_stack *stack) {
    // The same text may come from the next call at the same place. The time that the thread has run tells them apart.
    char ran[96] = "", text[256], after[256];
    if (!read_text(files->schedstat, ran, sizeof ran)) return muv_unreadable;
    if (!read_text(files->syscall, text, sizeof text)) return muv_unreadable;
    if (strncmp(text, "running", 7) == 0) return muv_running;
    if (!parse(text, stack)) return muv_unreadable;
    uintptr_t low = stack->registers[stack_pointer] & ~(uintptr_t)7;
    if (low < range.low || low >= range.high) return muv_elsewhere;
    size_t count = range.high - low < muv_stack_bytes ? range.high - low : muv_stack_bytes;
    stack->low = low;
    stack->count = muv_copy_memory(low, stack->bytes, count) & ~(size_t)7;
    if (!read_text(files->syscall, after, sizeof after) || strcmp(text, after) != 0) return muv_moved;
    if (!read_text(files->schedstat, after, sizeof after) || strcmp(ran, after) != 0) return muv_moved;
    stack->is_waiting = true;
    return stack->count > 0 ? muv_copied : muv_unreadable;
}

uint64_t muv_thread_ran(const muv_thread_files *files) {
    char text[96];
    return read_text(files->schedstat, text, sizeof text) ? strtoull(text, NULL, 10) : 0;
}

// Reads a number that follows `label` in the thread's status.
static uint64_t read_status(const muv_thread_files *files, const char *label, int base) {
    char text[status_size];
    const char *found = read_text(files->status, text, sizeof text) ? strstr(text, label) : NULL;
    return found ? strtoull(found + strlen(label), NULL, base) : 0;
}

uint64_t muv_thread_sleeps(const muv_thread_files *files) {
    return read_status(files, "\nvoluntary_ctxt_switches:", 10);
}

bool muv_thread_is_running(const muv_thread_files *files) {
    char text[status_size];
    const char *state = read_text(files->status, text, sizeof text) ? strstr(text, "\nState:\t") : NULL;
    return state && state[strlen("\nState:\t")] == 'R';
}

bool muv_thread_blocks(const muv_thread_files *files, int signal) {
    return read_status(files, "\nSigBlk:", 16) >> (signal - 1) & 1;
}

#endif
