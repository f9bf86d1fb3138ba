#define _GNU_SOURCE
#include "include/memory.h"
#include <string.h>

#if defined(__linux__)

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

static ssize_t try_copy(uintptr_t address, void *to, size_t count) {
    struct iovec destination = {to, count}, source = {(void *)address, count};
    return process_vm_readv(getpid(), &destination, 1, &source, 1, 0);
}

size_t muv_copy_memory(uintptr_t address, void *to, size_t count) {
    if (address == 0) return 0;
    ssize_t copied = try_copy(address, to, count);
    if (copied >= 0) return (size_t)copied;
    // Some containers forbid the call. What is asked for is mapped unless a library is just being unloaded.
    if (errno != EPERM && errno != ENOSYS) return 0;
    memcpy(to, (const void *)address, count);
    return count;
}

void muv_copy_string(uintptr_t address, char *to, size_t size) {
    *to = 0;
    if (address == 0) return;
    ssize_t copied = try_copy(address, to, size - 1);
    if (copied >= 0) to[copied] = 0;
    else if (errno == EPERM || errno == ENOSYS) strncat(to, (const char *)address, size - 1);
}

#else

size_t muv_copy_memory(uintptr_t address, void *to, size_t count) {
    memcpy(to, (const void *)address, count);
    return count;
}

void muv_copy_string(uintptr_t address, char *to, size_t size) {
    *to = 0;
    if (address != 0) strncat(to, (const char *)address, size - 1);
}

#endif
