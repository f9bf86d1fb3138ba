// The files that this process is made of: the program and its libraries.
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef struct loaded_file {
    uintptr_t base;  // the distance from addresses in the file to those in memory
    char path[1024]; // empty for the program itself
} loaded_file;

// The file that holds `address`. False if none does.
__attribute__((visibility("hidden"))) bool muv_find_file(uintptr_t address, loaded_file *file);

static inline const char *muv_file_path(const loaded_file *file) { return *file->path ? file->path : "/proc/self/exe"; }
