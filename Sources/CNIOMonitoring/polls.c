// The functions by which event loops wait, defined here so that the program's calls come through: its own definition of
// a function comes before that of a library. Each calls the one that would have been called without it.

#define _GNU_SOURCE
#include "CNIOMonitoring.h"

#if defined(__linux__)

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// Not from the headers, so that a C library without some of these functions will do.
struct epoll_event;
struct itimerspec;
typedef int wait_function(int, struct epoll_event *, int, int);
typedef int wait_masked_function(int, struct epoll_event *, int, int, const sigset_t *);
typedef int wait_exact_function(int, struct epoll_event *, int, const struct timespec *, const sigset_t *);
typedef int set_timer_function(int, int, const struct itimerspec *, struct itimerspec *);

wait_function epoll_wait;
wait_masked_function epoll_pwait;
wait_exact_function epoll_pwait2;
set_timer_function timerfd_settime;

// Thread Sanitizer's own, if it is there: it calls the next one.
__attribute__((weak)) wait_function __interceptor_epoll_wait;
__attribute__((weak)) wait_masked_function __interceptor_epoll_pwait;
__attribute__((weak)) wait_exact_function __interceptor_epoll_pwait2;

enum { off, asked, watching };
static _Atomic int state;
static muv_poll_calls calls;
static pthread_key_t key;

static _Thread_local struct {
    void *loop;
    int descriptor;
    // The last epoll instance that was no loop's to watch, and the number of its polls until it is asked for again.
    int other;
    unsigned others_left;
    // The loop's own timer, and the last one that was set at all, which is the loop's if the system does not tell.
    int timer, last_timer;
    // When those are due, in nanoseconds of the monotonic clock; 0 if one is not set, or has fired.
    uint64_t due, last_due;
} here = {.descriptor = -1, .other = -1, .timer = -1, .last_timer = -1};

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

// MARK: Watching

// Starts watching if the environment asks for it, and calls nothing then if it does not.
extern void muv_polls_were_asked_for(void) __attribute__((weak));

// The first timer that an epoll instance waits for; -1 if the system does not tell.
static int timer_of(int descriptor) {
    char path[64], target[64] = "", line[256];
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", descriptor);
    FILE *file = fopen(path, "re");
    int timer = -1, found;
    while (file && timer < 0 && fgets(line, sizeof line, file)) {
        if (sscanf(line, "tfd: %d", &found) != 1) continue;
        snprintf(path, sizeof path, "/proc/self/fd/%d", found);
        ssize_t size = readlink(path, target, sizeof target - 1);
        target[size < 0 ? 0 : size] = 0;
        if (strcmp(target, "anon_inode:[timerfd]") == 0) timer = found;
    }
    if (file) fclose(file);
    return timer;
}

__attribute__((noinline))
static bool find(int descriptor) {
    int error = errno, expected = asked;
    if (atomic_load_explicit(&state, memory_order_acquire) == asked
        && atomic_compare_exchange_strong(&state, &expected, off) && muv_polls_were_asked_for) {
        muv_polls_were_asked_for();
        errno = error;
    }
    if (atomic_load_explicit(&state, memory_order_acquire) != watching) return false;
    if (descriptor == here.other && here.others_left > 0) {
        here.others_left--;
        return false;
    }
    void *loop = calls.find(descriptor);
    errno = error;
    if (!loop) {
        here.other = descriptor;
        here.others_left = 255;
        return false;
    }
    here.loop = loop;
    here.descriptor = descriptor;
    here.other = -1;
    here.timer = timer_of(descriptor);
    here.last_timer = -1;
    here.due = 0;
    errno = error;
    pthread_setspecific(key, loop);
    return true;
}

static inline bool is_watched(int descriptor) {
    if (here.loop) return descriptor == here.descriptor;
    return atomic_load_explicit(&state, memory_order_acquire) != off && find(descriptor);
}

__attribute__((noinline))
static void enter(uint64_t timeout) {
    int error = errno;
    if (here.timer < 0 && here.last_timer >= 0) {
        here.timer = here.last_timer;
        here.due = here.last_due;
    }
    if (here.due && timeout) {
        uint64_t time = now();
        uint64_t left = here.due > time ? here.due - time : 0;
        if (left && left < timeout) timeout = left;
    }
    calls.enter(here.loop, timeout ? timeout : UINT64_MAX);
    errno = error;
}

__attribute__((noinline))
static void leave(void) {
    int error = errno;
    if (here.due && here.due <= now()) here.due = 0;
    calls.leave(here.loop);
    errno = error;
}

// A signal that interrupts a poll does not end it: the loop polls again.
#define WATCHED(descriptor, timeout, call) \
    if (is_watched(descriptor)) enter(timeout); \
    int count = call; \
    if (count >= 0 && is_watched(descriptor)) leave(); \
    return count

static uint64_t nanoseconds(int milliseconds) {
    return milliseconds < 0 ? UINT64_MAX : (uint64_t)milliseconds * 1000000;
}

static void end(void *loop) {
    here.loop = NULL;
    calls.end(loop);
}

// In a copy made by `fork`, this thread is the only one, and what watched the loops is not there.
static void stop_in_child(void) {
    atomic_store_explicit(&state, off, memory_order_relaxed);
    if (muv_polls_forget()) calls.forked();
}

// In a library that was loaded later, calls go to whoever defined the function first.
extern __typeof__(wait_function) own_epoll_wait __attribute__((alias("epoll_wait"), visibility("hidden")));

bool muv_polls_are_visible(void) {
    wait_function *volatile called = epoll_wait, *volatile own = own_epoll_wait;
    return called == own;
}

void muv_polls_watch(const muv_poll_calls *new_calls) {
    calls = *new_calls;
    if (pthread_key_create(&key, end) != 0 || pthread_atfork(NULL, NULL, stop_in_child) != 0) abort();
    atomic_store_explicit(&state, watching, memory_order_release);
}

void muv_polls_thread_name(char *name, size_t size) {
    if (pthread_getname_np(pthread_self(), name, size) != 0) *name = 0;
}

void *muv_polls_forget(void) {
    void *loop = here.loop;
    here.loop = NULL;
    here.other = -1;
    if (loop) pthread_setspecific(key, NULL);
    return loop;
}

// MARK: The functions that would have been called

static struct {
    _Atomic(wait_function *) wait;
    _Atomic(wait_masked_function *) wait_masked;
    _Atomic(wait_exact_function *) wait_exact;
    _Atomic(set_timer_function *) set_timer;
} next;

// Where nothing comes next, because the program is linked statically: the kernel. A wait is a place where a thread can
// be canceled.
static long wait_in_kernel(long number, long a, long b, long c, long d, long e, long f) {
    int type;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
    long result = syscall(number, a, b, c, d, e, f);
    pthread_setcanceltype(type, NULL);
    return result;
}

// The kernel's signal sets are shorter than the C library's.
enum { signal_set_size = 8 };

static int wait_masked_directly(int descriptor, struct epoll_event *events, int count, int timeout, const sigset_t *mask) {
    return (int)wait_in_kernel(SYS_epoll_pwait, descriptor, (long)events, count, timeout, (long)mask, signal_set_size);
}

static int wait_directly(int descriptor, struct epoll_event *events, int count, int timeout) {
    return wait_masked_directly(descriptor, events, count, timeout, NULL);
}

static int wait_exactly(
    int descriptor, struct epoll_event *events, int count, const struct timespec *timeout, const sigset_t *mask
) {
    enum { number = 441 }; // of epoll_pwait2, on all architectures; unknown to older headers
    return (int)wait_in_kernel(number, descriptor, (long)events, count, (long)timeout, (long)mask, signal_set_size);
}

static int set_timer_directly(int descriptor, int flags, const struct itimerspec *new, struct itimerspec *old) {
    return (int)syscall(SYS_timerfd_settime, descriptor, flags, new, old);
}

// Notes whether the environment sets anything for loops. Swift may not be ready yet: the first poll is.
__attribute__((constructor))
static void ask(void) {
    for (char **entry = environ; entry && *entry; entry++) {
        if (strncmp(*entry, "MONITOREDUV_", 12) == 0) {
            int expected = off;
            atomic_compare_exchange_strong(&state, &expected, asked);
        }
    }
}

// Before the program has threads. Until then, and for whoever comes even earlier, the kernel is called directly.
__attribute__((constructor(101)))
static void look_up(void) {
    wait_function *wait = __interceptor_epoll_wait;
    wait_masked_function *masked = __interceptor_epoll_pwait;
    wait_exact_function *exact = __interceptor_epoll_pwait2;
    set_timer_function *set_timer = dlsym(RTLD_NEXT, "timerfd_settime");
    if (!wait) wait = dlsym(RTLD_NEXT, "epoll_wait");
    if (!masked) masked = dlsym(RTLD_NEXT, "epoll_pwait");
    if (!exact) exact = dlsym(RTLD_NEXT, "epoll_pwait2");
    atomic_store_explicit(&next.wait, wait ? wait : wait_directly, memory_order_relaxed);
    atomic_store_explicit(&next.wait_masked, masked ? masked : wait_masked_directly, memory_order_relaxed);
    atomic_store_explicit(&next.wait_exact, exact ? exact : wait_exactly, memory_order_relaxed);
    atomic_store_explicit(&next.set_timer, set_timer ? set_timer : set_timer_directly, memory_order_relaxed);
}

#define NEXT(name, direct) ({ \
    __typeof__(direct) *function = atomic_load_explicit(&next.name, memory_order_relaxed); \
    function ? function : direct; \
})

// MARK: The functions that are called

__attribute__((visibility("default")))
int epoll_wait(int descriptor, struct epoll_event *events, int maximum, int timeout) {
    WATCHED(descriptor, nanoseconds(timeout), NEXT(wait, wait_directly)(descriptor, events, maximum, timeout));
}

__attribute__((visibility("default")))
int epoll_pwait(int descriptor, struct epoll_event *events, int maximum, int timeout, const sigset_t *mask) {
    WATCHED(
        descriptor, nanoseconds(timeout),
        NEXT(wait_masked, wait_masked_directly)(descriptor, events, maximum, timeout, mask)
    );
}

__attribute__((visibility("default")))
int epoll_pwait2(
    int descriptor, struct epoll_event *events, int maximum, const struct timespec *timeout, const sigset_t *mask
) {
    WATCHED(
        descriptor, timeout ? (uint64_t)timeout->tv_sec * 1000000000 + (uint64_t)timeout->tv_nsec : UINT64_MAX,
        NEXT(wait_exact, wait_exactly)(descriptor, events, maximum, timeout, mask)
    );
}

// A loop that sets a timer and waits without limit is due when the timer is.
__attribute__((visibility("default")))
int timerfd_settime(int descriptor, int flags, const struct itimerspec *new, struct itimerspec *old) {
    int status = NEXT(set_timer, set_timer_directly)(descriptor, flags, new, old);
    if (status == 0 && here.loop && flags == 0) {
        struct timespec values[2]; // the interval, and the time left
        memcpy(values, new, sizeof values);
        uint64_t left = (uint64_t)values[1].tv_sec * 1000000000 + (uint64_t)values[1].tv_nsec;
        here.last_timer = descriptor;
        here.last_due = left ? now() + left : 0;
        if (descriptor == here.timer) here.due = here.last_due;
    }
    return status;
}

#else

bool muv_polls_are_visible(void) { return false; }
void muv_polls_watch(const muv_poll_calls *calls) { (void)calls; }
void *muv_polls_forget(void) { return NULL; }
void muv_polls_thread_name(char *name, size_t size) { (void)size, *name = 0; }

#endif
