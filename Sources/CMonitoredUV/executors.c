// On Linux, the runtime gives each job to a concurrent Dispatch queue of the job's priority, as wide as the machine has
// processors. The same is done here, with a function of this library around each job.

#define _GNU_SOURCE
#include "include/executors.h"
#include "include/jobs.h"

#if defined(__linux__) && defined(__LP64__) && __has_attribute(swiftcall) && __has_attribute(swiftasynccall)

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define swift_call __attribute__((swiftcall))

// Dispatch, as far as it is needed.
typedef struct dispatch_queue_s *dispatch_queue_t;
extern void dispatch_async_f(dispatch_queue_t, void *, void (*)(void *)) __attribute__((weak));
extern void dispatch_after_f(uint64_t, dispatch_queue_t, void *, void (*)(void *)) __attribute__((weak));
extern uint64_t dispatch_time(uint64_t, int64_t) __attribute__((weak));
extern dispatch_queue_t dispatch_queue_create(const char *, void *) __attribute__((weak));
extern void *dispatch_queue_attr_make_with_qos_class(void *, unsigned, int) __attribute__((weak));
extern void dispatch_queue_set_width(dispatch_queue_t, long) __attribute__((weak));
extern char _dispatch_queue_attr_concurrent[] __attribute__((weak));
extern struct dispatch_queue_s { char opaque; } _dispatch_main_q[] __attribute__((weak));
enum { width_of_processors = -3 };

// The runtime.
typedef swift_call void (*enqueue_global)(void *job);
extern swift_call void (*swift_task_enqueueGlobal_hook)(void *job, enqueue_global original) __attribute__((weak));
extern swift_call struct executor { uintptr_t identity, implementation; } swift_task_getCurrentExecutor(void)
    __attribute__((weak));
extern const void *const _swift_concurrency_debug_jobMetadata __attribute__((weak));

static muv_executor_calls calls;
static pthread_key_t key;
static _Thread_local void *thread_state;
static _Thread_local uint64_t waking_since;
static _Atomic(dispatch_queue_t) queues[256];

bool muv_executors_are_known(void) {
    return muv_job_layout_is_known() && dispatch_async_f && dispatch_after_f && dispatch_time && dispatch_queue_create
        && dispatch_queue_attr_make_with_qos_class && dispatch_queue_set_width && &_dispatch_queue_attr_concurrent[0]
        && &_dispatch_main_q[0] && &swift_task_enqueueGlobal_hook && swift_task_getCurrentExecutor
        && &_swift_concurrency_debug_jobMetadata;
}

void *muv_executor_thread_state(void) { return thread_state; }

void muv_executor_keep_thread_state(void *state) {
    thread_state = state;
    pthread_setspecific(key, state);
}

static void end_thread(void *state) {
    thread_state = NULL;
    calls.end(state);
}

// MARK: The default executor

static uint8_t priority_of(const muv_job *job) { return (uint8_t)(job->flags >> 8); }

static dispatch_queue_t queue_of(uint8_t priority) {
    dispatch_queue_t queue = atomic_load_explicit(&queues[priority], memory_order_acquire);
    if (queue) return queue;
    void *attributes = dispatch_queue_attr_make_with_qos_class(_dispatch_queue_attr_concurrent, priority, 0);
    queue = dispatch_queue_create("monitored global concurrent queue", attributes);
    dispatch_queue_set_width(queue, width_of_processors);
    dispatch_queue_t other = NULL; // of two that were made at once, one is never used
    return atomic_compare_exchange_strong(&queues[priority], &other, queue) ? queue : other;
}

static void run(void *job) { calls.run(job, 0, 0); }

// MARK: The main executor

static struct executor main_executor;

static void run_main(void *job) { calls.run(job, main_executor.identity, main_executor.implementation); }

// MARK: Queues

static dispatch_queue_t queue_for(const muv_job *job, bool on_main) {
    return on_main ? _dispatch_main_q : queue_of(priority_of(job));
}

void muv_executor_enqueue(void *job, bool on_main) {
    calls.stamp(job);
    dispatch_async_f(queue_for(job, on_main), job, on_main ? run_main : run);
}

typedef struct { void *job; bool on_main; uint64_t due; } wakeup;

static void run_wakeup(void *context) {
    wakeup it = *(wakeup *)context;
    free(context);
    waking_since = it.due;
    if (it.on_main) calls.wake(it.job, main_executor.identity, main_executor.implementation);
    else calls.wake(it.job, 0, 0);
    waking_since = 0;
}

uint64_t muv_executor_waking_since(void) { return waking_since; }

void muv_executor_enqueue_after(void *job, bool on_main, uint64_t delay, uint64_t due) {
    wakeup *context = malloc(sizeof *context);
    if (!context) abort();
    *context = (wakeup){job, on_main, due};
    int64_t limited = delay > INT64_MAX ? INT64_MAX : (int64_t)delay;
    dispatch_after_f(dispatch_time(0, limited), queue_for(job, on_main), context, run_wakeup);
}

// MARK: Past the executors

static swift_call void hook(void *job, enqueue_global original) {
    (void)original;
    muv_executor_enqueue(job, false);
}

// An executor that somebody else has put there is given jobs of ours, each of which runs another job.
typedef struct { muv_job job; uintptr_t word_9; void *inner; } wrapper;

static __attribute__((swiftasynccall)) void run_wrapped(void *context) {
    wrapper *outer = context;
    void *inner = outer->inner;
    free(outer);
    struct executor executor = swift_task_getCurrentExecutor();
    calls.run(inner, executor.identity, executor.implementation);
}

typedef swift_call void (*enqueue_hook)(void *job, enqueue_global original);
static _Atomic(enqueue_hook) chained;

static swift_call void chaining_hook(void *job, enqueue_global original) {
    (void)original; // whoever was there first has it
    enum { kind = 194, references = 3 };
    wrapper *outer = aligned_alloc(16, (sizeof *outer + 15) / 16 * 16);
    if (!outer) abort();
    const muv_job *inner = job;
    *outer = (wrapper){
        .job = {
            .metadata = _swift_concurrency_debug_jobMetadata,
            .reference_counts = references,
            .flags = (inner->flags & 0xff00) | kind,
            .resume = (uintptr_t)run_wrapped,
        },
        .inner = job,
    };
    calls.stamp(job);
    atomic_load_explicit(&chained, memory_order_acquire)(outer, original);
}

void muv_executors_prepare(const muv_executor_calls *new_calls, uintptr_t identity, uintptr_t implementation) {
    calls = *new_calls;
    main_executor = (struct executor){identity, implementation};
    if (pthread_key_create(&key, end_thread) != 0) abort();
}

void muv_executors_take_over(void) {
    _Atomic(enqueue_hook) *place = (_Atomic(enqueue_hook) *)&swift_task_enqueueGlobal_hook;
    enqueue_hook other = NULL;
    while (!atomic_compare_exchange_strong(place, &other, other ? chaining_hook : hook)) {
        atomic_store_explicit(&chained, other, memory_order_release);
    }
}

#else

bool muv_executors_are_known(void) { return false; }
void muv_executors_prepare(const muv_executor_calls *calls, uintptr_t identity, uintptr_t implementation) {
    (void)calls, (void)identity, (void)implementation;
}
void muv_executors_take_over(void) {}
void muv_executor_enqueue(void *job, bool on_main) { (void)job, (void)on_main; }
void muv_executor_enqueue_after(void *job, bool on_main, uint64_t delay, uint64_t due) {
    (void)job, (void)on_main, (void)delay, (void)due;
}
uint64_t muv_executor_waking_since(void) { return 0; }
void *muv_executor_thread_state(void) { return 0; }
void muv_executor_keep_thread_state(void *state) { (void)state; }

#endif
