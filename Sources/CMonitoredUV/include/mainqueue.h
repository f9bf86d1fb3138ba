// What libdispatch offers event loops that run on the main thread in its stead.
#pragma once
#include <stdbool.h>

bool muv_is_main_thread(void);

// Whether this thread is running the main queue, as far as its label tells.
bool muv_is_in_main_queue(void);

// Whether somebody else than libdispatch can run the main queue.
bool muv_can_run_main_queue(void);

// A descriptor that is readable as long as the main queue has work. libdispatch makes it for the first call, and aborts if
// none is free. Only where the main queue can be run.
int muv_main_queue_descriptor(void);

// Runs what the main queue holds. On the main thread alone.
void muv_main_queue_drain(void);
