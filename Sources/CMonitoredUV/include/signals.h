// Signals that somebody sends a program to be told something.
#pragma once
#include <stdbool.h>

// From now on the signal writes a byte to `descriptor`, which must not block. False if the program has a handler of its
// own, which is left in place, or the signal cannot be caught.
bool muv_signal_watch(int number, int descriptor);

// Whether that is so.
bool muv_signal_is_watched(int number);

// Whether the signal came since the last call.
bool muv_signal_take(int number);
