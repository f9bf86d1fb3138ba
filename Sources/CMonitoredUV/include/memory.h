// This process's own memory, where another thread may take it away at any moment.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Copies as much of `count` bytes at `address` as can be read. Gives how much that was.
size_t muv_copy_memory(uintptr_t address, void *to, size_t count);

// Copies a string of at most `size` - 1 bytes, and ends it.
void muv_copy_string(uintptr_t address, char *to, size_t size);
