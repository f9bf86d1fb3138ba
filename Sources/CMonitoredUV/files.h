// The files that this process is made of: the program and its libraries.
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef struct loaded_file {
    uintptr_t base;  // the distance from addresses in the file to those in memory
    uint64_t head;   // made of the file's beginning, as it is in memory: tells it from all others
    char path[1024]; // empty for the program itself
} loaded_file;

// The file that holds `address`. False if none does.
__attribute__((visibility("hidden"))) bool muv_find_file(uintptr_t address, loaded_file *file);

// Opens it for reading; -1 if it is gone, or another one has its path now.
__attribute__((visibility("hidden"))) int muv_open_file(const loaded_file *file);
