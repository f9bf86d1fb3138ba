// Access to this process's own memory, which another thread may unmap at any moment.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Copies as many of the `count` bytes at `address` as can be read. Returns their number.
size_t muv_copy_memory(uintptr_t address, void *to, size_t count);

// Copies a string of at most `size` - 1 bytes, and terminates it.
void muv_copy_string(uintptr_t address, char *to, size_t size);
