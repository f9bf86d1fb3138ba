// Signals sent to a program to notify it of something.
#pragma once
#include <stdbool.h>

// Makes the signal write a byte to `descriptor`, which must not block. Returns false if the program has a handler of
// its own, which is left in place, or if the signal cannot be caught.
bool muv_signal_watch(int number, int descriptor);

// Returns whether the signal is being watched.
bool muv_signal_is_watched(int number);

// Returns whether the signal has come since the last call.
bool muv_signal_take(int number);
