#ifndef CNIOMONITORING_H
#define CNIOMONITORING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What is to be called when threads enter and leave the polls of event loops, on those threads.
typedef struct {
    // Returns the watched loop of this thread whose poll is that of the epoll instance `descriptor`; NULL if there is
    // none, and it is asked again now and then.
    void *(*find)(int descriptor);
    // The loop is about to poll, for at most `timeout` nanoseconds; UINT64_MAX if without limit or not at all.
    void (*enter)(void *loop, uint64_t timeout);
    // The poll has returned.
    void (*leave)(void *loop);
    // The thread ends.
    void (*end)(void *loop);
    // This thread is the only one in a copy of the process that was made by `fork`, in which nothing is watched.
    void (*forked)(void);
} muv_poll_calls;

// Whether the polls of this program can be seen here.
bool muv_polls_are_visible(void);

// Starts looking at polls. Nothing is seen of the polls of threads that sleep in one until they leave it.
void muv_polls_watch(const muv_poll_calls *calls);

// Forgets the watched loop of this thread, and returns it; NULL if it has none. For a loop that ends before its thread.
void *muv_polls_forget(void);

// Copies the name of this thread; `size` is at least 16.
void muv_polls_thread_name(char *name, size_t size);

#endif
