// The source locations that addresses were compiled from, by the line tables of debug information (.debug_line).
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef struct muv_line {
    uintptr_t address; // asked for
    uint32_t line;     // from 1; 0 where it is not known
    char *file;        // malloc'ed; NULL where it is not known
} muv_line;

// Fills in files and lines. Each file's table is read once for all the addresses in it, and nothing is kept. Any
// thread.
void muv_lines_find(muv_line *lines, int count);
