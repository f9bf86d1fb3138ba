#define _GNU_SOURCE
#include "include/memory.h"
#include <string.h>

#if defined(__linux__)

#include <errno.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

// The kernel reads the signal set before it rejects the operation as invalid. NULL would mean no set.
static bool is_readable(uintptr_t address) {
    return syscall(SYS_rt_sigprocmask, -1, address & ~(uintptr_t)7, NULL, 8) == 0 || errno != EFAULT;
}

enum { page_size = 4096 }; // or a multiple of it

size_t muv_copy_memory(uintptr_t address, void *to, size_t count) {
    if (address < page_size) return 0;
    struct iovec destination = {to, count}, source = {(void *)address, count};
    ssize_t result = process_vm_readv(getpid(), &destination, 1, &source, 1, 0);
    if (result >= 0) return (size_t)result;
    if (errno == EFAULT || errno == ENOMEM) return 0;
    // Some containers forbid the call, with an error of their own choice. Memory found to be readable stays so, unless a library is being unloaded just
    // then.
    size_t copied = 0;
    while (copied < count && is_readable(address + copied)) {
        size_t part = page_size - (address + copied) % page_size;
        if (part > count - copied) part = count - copied;
        memcpy((char *)to + copied, (const void *)(address + copied), part);
        copied += part;
    }
    return copied;
}

void muv_copy_string(uintptr_t address, char *to, size_t size) {
    to[muv_copy_memory(address, to, size - 1)] = 0;
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
