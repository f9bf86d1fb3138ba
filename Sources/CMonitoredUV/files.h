// The files that make up this process: the program and its libraries.
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef struct loaded_file {
    uintptr_t base;  // the distance from addresses in the file to those in memory
    uint64_t head;   // made of the file's beginning, as it is in memory: tells it from all others
    char path[1024]; // empty for the program itself
} loaded_file;

// Finds the file that contains `address`. False if there is none.
__attribute__((visibility("hidden"))) bool muv_find_file(uintptr_t address, loaded_file *file);

// Opens a file for reading; returns -1 if it is gone, or if its path now belongs to another file.
__attribute__((visibility("hidden"))) int muv_open_file(const loaded_file *file);
