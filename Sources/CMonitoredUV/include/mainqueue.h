// The interface of libdispatch for event loops that run on the main thread in its place.
#pragma once
#include <stdbool.h>

bool muv_is_main_thread(void);

// Returns whether this thread is running the main queue, judging by its label.
bool muv_is_in_main_queue(void);

// Returns whether code other than libdispatch can run the main queue.
bool muv_can_run_main_queue(void);

// Returns a descriptor that is readable while the main queue has work. libdispatch creates it at the first call, and
// aborts if none is free. Only if the main queue can be run.
int muv_main_queue_descriptor(void);

// Runs the work in the main queue. Main thread only.
void muv_main_queue_drain(void);
