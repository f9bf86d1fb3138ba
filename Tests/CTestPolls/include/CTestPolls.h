#pragma once
#include <pthread.h>
#include <stdbool.h>

// Polls in a copy of this process that is made by `fork`. Returns whether it went as it should.
bool test_poll_in_copy(void);

// Each of these returns 0, or the line of what did not go as it should.
int test_poll_results(void);
int test_poll_errors(void);
int test_poll_interruption(void);
int test_poll_cancellation(void);

// Sends a thread, which must not block it, a signal without effect so many times.
int test_interrupt_thread(pthread_t thread, int times);
