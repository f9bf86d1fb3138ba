// Waiting threads, as the kernel reports them in /proc, without their noticing.
#pragma once
#include "include/stack.h"

enum muv_copy_result { muv_copied, muv_running, muv_moved, muv_elsewhere, muv_unreadable };

// Copies the stack of a waiting thread, and the registers that the kernel reports. Moved: the thread has continued in
// the meantime. Elsewhere: it uses a stack other than its own. Unreadable: the kernel does not report them.
__attribute__((visibility("hidden")))
enum muv_copy_result muv_copy_waiting(const muv_thread_files *files, muv_stack_range range, muv_stack *stack);

// Returns how many nanoseconds the thread has run, as far as they have been counted, and how often it has gone to
// sleep. 0 if unknown.
__attribute__((visibility("hidden"))) uint64_t muv_thread_ran(const muv_thread_files *files);
__attribute__((visibility("hidden"))) uint64_t muv_thread_sleeps(const muv_thread_files *files);

// Returns whether the thread is running or ready to run; false if unknown.
__attribute__((visibility("hidden"))) bool muv_thread_is_running(const muv_thread_files *files);

// Returns whether the thread blocks a signal, as far as the kernel reports it.
__attribute__((visibility("hidden"))) bool muv_thread_blocks(const muv_thread_files *files, int signal);
