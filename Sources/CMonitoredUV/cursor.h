// A position in memory that is read forward: the numbers and strings of DWARF.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Reading beyond the end sets `failed`. All later reads return 0.
typedef struct cursor {
    const uint8_t *at, *end;
    bool failed;
    uintptr_t distance; // from what is read, which may be a copy, to where it came from
} cursor;

static inline uint64_t read_fixed(cursor *from, size_t size) {
    uint64_t value = 0;
    if (from->failed || (size_t)(from->end - from->at) < size) {
        from->failed = true;
        from->at = from->end;
        return 0;
    }
    memcpy(&value, from->at, size);
    from->at += size;
    return value;
}

static inline uint64_t read_uleb(cursor *from) {
    uint64_t value = 0;
    for (unsigned shift = 0; from->at < from->end; shift += 7) {
        uint8_t byte = *from->at++;
        if (shift < 64) value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return value;
    }
    from->failed = true;
    return 0;
}

static inline int64_t read_sleb(cursor *from) {
    uint64_t value = 0;
    for (unsigned shift = 0; from->at < from->end;) {
        uint8_t byte = *from->at++;
        if (shift < 64) value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
        if (byte & 0x80) continue;
        if (shift < 64 && byte & 0x40) value |= ~(uint64_t)0 << shift;
        return (int64_t)value;
    }
    from->failed = true;
    return 0;
}

static inline const char *read_string(cursor *from) {
    const char *string = (const char *)from->at;
    size_t length = strnlen(string, (size_t)(from->end - from->at));
    if (from->at + length == from->end) {
        from->failed = true;
        return "";
    }
    from->at += length + 1;
    return string;
}

static inline void skip(cursor *from, uint64_t count) {
    if (from->failed || (uint64_t)(from->end - from->at) < count) {
        from->failed = true;
        from->at = from->end;
    } else {
        from->at += count;
    }
}
