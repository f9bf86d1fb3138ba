// Threads that wait, as the kernel tells of them in /proc: without their noticing.
#pragma once
#include "include/stack.h"

enum muv_copy_result { muv_copied, muv_running, muv_moved, muv_elsewhere, muv_unreadable };

// Copies the stack of a thread that waits, and what the kernel tells of its registers. Moved: it has gone on meanwhile.
// Elsewhere: it uses another stack than its own. Unreadable: the kernel does not tell.
__attribute__((visibility("hidden")))
enum muv_copy_result muv_copy_waiting(const muv_thread_files *files, muv_stack_range range, muv_stack *stack);

// For how many nanoseconds the thread has run, as far as that has been counted, and how often it has gone to sleep. 0
// where that is unknown.
__attribute__((visibility("hidden"))) uint64_t muv_thread_ran(const muv_thread_files *files);
__attribute__((visibility("hidden"))) uint64_t muv_thread_sleeps(const muv_thread_files *files);

// Whether the thread runs or is ready to; false also where that is unknown.
__attribute__((visibility("hidden"))) bool muv_thread_is_running(const muv_thread_files *files);

// Whether the thread blocks a signal, as far as the kernel tells.
__attribute__((visibility("hidden"))) bool muv_thread_blocks(const muv_thread_files *files, int signal);
