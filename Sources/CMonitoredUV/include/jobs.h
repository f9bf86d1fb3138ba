// The internal layout of the Swift runtime's jobs, as its debugger interface describes it.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// The beginning of every job; in a task, more follows.
typedef struct muv_job {
    const void *metadata;
    uintptr_t reference_counts;
    uintptr_t executor_words[2]; // the executor's own while the job is queued
    uint32_t flags;              // kind in the low byte
    uint32_t id;
    void *voucher;
    uintptr_t reserved;          // unused by the runtime
    uintptr_t resume;            // the function that continues the task
    const void *context;         // the task's innermost async frame
} muv_job;

enum {
    muv_job_task = 0,                 // kinds
    muv_job_actor_inline = 192,
    muv_job_actor = 193,
    muv_job_resumption = 195,
    muv_job_has_name = 1u << 30,      // a flag of tasks
};

// Returns whether this process's runtime has the layout that the functions below read. False if that is unknown.
bool muv_job_layout_is_known(void);

// Returns the name that the task was created with; NULL if it has none. The task must not be running.
const char *muv_task_name(const muv_job *task);

// Returns whether the task has not run yet. Its frame then shows which closure it will run.
bool muv_task_is_new(const muv_job *task);

// Returns the function that a new task enters.
uintptr_t muv_task_entry(const muv_job *task);

// Returns where the new task's closure keeps its captures; 0 if it captures nothing.
uintptr_t muv_task_captures(const muv_job *task);

// Returns the captured word at `index`, which must exist.
uintptr_t muv_task_capture(const muv_job *task, int index);

// Returns whether `function` belongs to Swift's concurrency library, which creates tasks of its own to wake sleeping
// ones.
bool muv_is_in_runtime(uintptr_t function);

// Returns whether `function` has been found to belong to it before. Any thread.
bool muv_is_known_in_runtime(uintptr_t function);

// Returns the task that a resumption, such as a yield's, continues.
const void *muv_job_resumed_task(const muv_job *job);

// Cancels a task that is queued or asleep.
void muv_task_cancel(const void *task);

// Returns the actor whose queue the job drains.
const void *muv_job_actor_of(const muv_job *job);
