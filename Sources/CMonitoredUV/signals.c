#include "include/signals.h"
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { signals = 128 };
static _Atomic bool came[signals];
static _Atomic int descriptors[signals];

static void handle(int number) {
    int error = errno;
    atomic_store(&came[number], true);
    (void)!write(atomic_load(&descriptors[number]), "", 1); // a full pipe wakes its reader as well
    errno = error;
}

bool muv_signal_watch(int number, int descriptor) {
    struct sigaction old, action;
    if (number <= 0 || number >= signals || sigaction(number, NULL, &old) != 0) return false;
    if (old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN && old.sa_handler != handle) return false;
    atomic_store(&descriptors[number], descriptor);
    memset(&action, 0, sizeof action);
    action.sa_handler = handle;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    return sigaction(number, &action, NULL) == 0;
}

bool muv_signal_is_watched(int number) {
    struct sigaction current;
    return sigaction(number, NULL, &current) == 0 && current.sa_handler == handle;
}

bool muv_signal_take(int number) { return atomic_exchange(&came[number], false); }
