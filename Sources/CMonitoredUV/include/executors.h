// Swift's own executors, so that each of their jobs passes through functions of this library.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// What is called with jobs, from any thread.
typedef struct {
    // A job became ready to run.
    void (*stamp)(void *job);
    // Runs a job on the thread that it was given to, for the serial executor `identity` and `implementation`; both are 0
    // for jobs that need none.
    void (*run)(void *job, uintptr_t identity, uintptr_t implementation);
    // Runs a job that wakes a task that asked to sleep.
    void (*wake)(void *job, uintptr_t identity, uintptr_t implementation);
    // A thread that has run jobs ends; `state` is what it kept.
    void (*end)(void *state);
} muv_executor_calls;

// Returns whether this program can do any of this.
bool muv_executors_are_known(void);

// Sets what is called, and the main thread's executor. Before the first job comes here.
void muv_executors_prepare(const muv_executor_calls *calls, uintptr_t identity, uintptr_t implementation);

// Takes the jobs that the runtime enqueues past the default executor. If somebody else, such as SwiftNIO, takes them, they
// are timed on their way there.
void muv_executors_take_over(void);

// Queues a job that became ready for the threads of the default executor, or for the main thread.
void muv_executor_enqueue(void *job, bool on_main);

// Queues a job that wakes a sleeping task in `delay` nanoseconds, which is at `due`.
void muv_executor_enqueue_after(void *job, bool on_main, uint64_t delay, uint64_t due);

// While a job that wakes a sleeping task runs on this thread: when it was due. Otherwise 0.
uint64_t muv_executor_waking_since(void);

// What this thread keeps from one job to the next; NULL at first.
void *muv_executor_thread_state(void);
void muv_executor_keep_thread_state(void *state);
