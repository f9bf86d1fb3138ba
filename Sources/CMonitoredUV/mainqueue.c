#define _GNU_SOURCE
#include "include/mainqueue.h"
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <string.h>

extern const char *dispatch_queue_get_label(void *) __attribute__((weak));

bool muv_is_in_main_queue(void) {
    if (!dispatch_queue_get_label) return false;
    const char *label = dispatch_queue_get_label(NULL); // of the current queue
    return label && strcmp(label, "com.apple.main-thread") == 0;
}

#if defined(__linux__)

extern int _dispatch_get_main_queue_handle_4CF(void) __attribute__((weak));
extern void _dispatch_main_queue_callback_4CF(void *) __attribute__((weak));

bool muv_is_main_thread(void) { return getpid() == gettid(); }

bool muv_can_run_main_queue(void) { return _dispatch_get_main_queue_handle_4CF && _dispatch_main_queue_callback_4CF; }
int muv_main_queue_descriptor(void) { return _dispatch_get_main_queue_handle_4CF(); }

void muv_main_queue_drain(void) {
    uint64_t wakeups;
    (void)!read(_dispatch_get_main_queue_handle_4CF(), &wakeups, sizeof wakeups);
    _dispatch_main_queue_callback_4CF(NULL);
}

#else

#include <pthread.h>

bool muv_is_main_thread(void) { return pthread_main_np() != 0; }
bool muv_can_run_main_queue(void) { return false; }
int muv_main_queue_descriptor(void) { return -1; }
void muv_main_queue_drain(void) {}

#endif
