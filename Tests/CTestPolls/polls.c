// Polls as a C program makes them, by each of the three functions.

#define _GNU_SOURCE
#include "CTestPolls.h"

#if defined(__linux__)

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXPECT(condition) do { if (!(condition)) return __LINE__; } while (0)

typedef int poll_function(int, struct epoll_event *, int, int);

static int masked(int descriptor, struct epoll_event *events, int maximum, int timeout) {
    sigset_t mask;
    sigemptyset(&mask);
    return epoll_pwait(descriptor, events, maximum, timeout, &mask);
}

static int exact(int descriptor, struct epoll_event *events, int maximum, int timeout) {
    struct timespec time = {timeout / 1000, timeout % 1000 * 1000000L};
    return epoll_pwait2(descriptor, events, maximum, timeout < 0 ? NULL : &time, NULL);
}

static poll_function *const functions[] = {epoll_wait, masked, exact};
enum { function_count = 3 };

static uint64_t milliseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

int test_poll_results(void) {
    for (int index = 0; index < function_count; index++) {
        poll_function *wait = functions[index];
        int poll = epoll_create1(EPOLL_CLOEXEC), event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        struct epoll_event wanted = {.events = EPOLLIN, .data.u64 = 42}, found[2];
        EXPECT(epoll_ctl(poll, EPOLL_CTL_ADD, event, &wanted) == 0);
        EXPECT(wait(poll, found, 2, 0) == 0);
        uint64_t start = milliseconds();
        int count;
        // A capture of this thread's stack may interrupt it.
        while ((count = wait(poll, found, 2, 20)) == -1 && errno == EINTR) {}
        EXPECT(count == 0);
        EXPECT(milliseconds() - start >= 19);
        EXPECT(eventfd_write(event, 1) == 0);
        EXPECT(wait(poll, found, 2, -1) == 1);
        EXPECT(found[0].events == EPOLLIN && found[0].data.u64 == 42);
        close(event);
        close(poll);
    }
    return 0;
}

int test_poll_errors(void) {
    for (int index = 0; index < function_count; index++) {
        poll_function *wait = functions[index];
        struct epoll_event found[1];
        errno = 0;
        EXPECT(wait(-1, found, 1, 0) == -1 && errno == EBADF);
        EXPECT(wait(STDERR_FILENO, found, 1, 0) == -1 && errno == EINVAL);
        int poll = epoll_create1(EPOLL_CLOEXEC);
        EXPECT(wait(poll, found, 0, 0) == -1 && errno == EINVAL);
        errno = 77; // which success leaves alone
        EXPECT(wait(poll, found, 1, 0) == 0 && errno == 77);
        close(poll);
    }
    return 0;
}

static void ignore(int number) { (void)number; }

typedef struct { poll_function *wait; int poll, count, error; } waiter;

static void *wait_for_ever(void *context) {
    waiter *it = context;
    struct epoll_event found[1];
    sigset_t none; // threads of Dispatch, which may have made this one, block signals
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    it->count = it->wait(it->poll, found, 1, -1);
    it->error = errno;
    return NULL;
}

int test_poll_interruption(void) {
    int interrupting_signal = SIGRTMIN + 12; // nobody else's
    struct sigaction action = {.sa_handler = ignore}, before;
    sigaction(interrupting_signal, &action, &before);
    for (int index = 0; index < function_count; index++) {
        waiter it = {.wait = functions[index], .poll = epoll_create1(EPOLL_CLOEXEC)};
        pthread_t thread;
        EXPECT(pthread_create(&thread, NULL, wait_for_ever, &it) == 0);
        // The signal may come before the wait, which then goes on.
        while (pthread_tryjoin_np(thread, NULL) == EBUSY) {
            pthread_kill(thread, interrupting_signal);
            usleep(1000);
        }
        EXPECT(it.count == -1 && it.error == EINTR);
        close(it.poll);
    }
    sigaction(interrupting_signal, &before, NULL);
    return 0;
}

int test_interrupt_thread(pthread_t thread, int times) {
    int interrupting_signal = SIGRTMIN + 13; // nobody else's
    struct sigaction action = {.sa_handler = ignore}, before;
    sigaction(interrupting_signal, &action, &before);
    for (int time = 0; time < times; time++) {
        EXPECT(pthread_kill(thread, interrupting_signal) == 0);
        usleep(500);
    }
    return 0;
}

int test_poll_cancellation(void) {
    for (int index = 0; index < function_count; index++) {
        waiter it = {.wait = functions[index], .poll = epoll_create1(EPOLL_CLOEXEC)};
        pthread_t thread;
        void *result;
        EXPECT(pthread_create(&thread, NULL, wait_for_ever, &it) == 0);
        EXPECT(pthread_cancel(thread) == 0);
        EXPECT(pthread_join(thread, &result) == 0);
        EXPECT(result == PTHREAD_CANCELED);
        close(it.poll);
    }
    return 0;
}

bool test_poll_in_copy(void) {
    pid_t child = fork();
    if (child == 0) _exit(test_poll_results() != 0 || test_poll_errors() != 0);
    int status;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

#else

bool test_poll_in_copy(void) { return true; }
int test_poll_results(void) { return 0; }
int test_poll_errors(void) { return 0; }
int test_poll_interruption(void) { return 0; }
int test_poll_cancellation(void) { return 0; }
int test_interrupt_thread(pthread_t thread, int times) { return 0; }

#endif
