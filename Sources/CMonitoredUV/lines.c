#define _GNU_SOURCE
#include "include/lines.h"

#if defined(__linux__) && defined(__LP64__)

#include "cursor.h"
#include "files.h"
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// MARK: Units

typedef struct sections {
    cursor lines, line_strings, strings;
} sections;

// The header in front of the lines of one unit.
typedef struct unit {
    unsigned version, minimum_length, first_special, line_range;
    int line_base;
    bool is_wide;
    const uint8_t *operand_counts;
    cursor tables, program;
} unit;

// Moves on to the next unit. False at the end. Units of an unknown kind have version 0.
static bool read_unit(cursor *all, unit *unit) {
    uint64_t length = read_fixed(all, 4);
    unit->is_wide = length == 0xffffffff;
    if (unit->is_wide) length = read_fixed(all, 8);
    if (all->failed || length > (uint64_t)(all->end - all->at)) return false;
    cursor from = {all->at, all->at + length, false, 0};
    all->at += length;
    unit->version = (unsigned)read_fixed(&from, 2);
    if (unit->version < 2 || unit->version > 5) return unit->version = 0, true;
    if (unit->version >= 5) read_fixed(&from, 2); // sizes of addresses
    uint64_t header = read_fixed(&from, unit->is_wide ? 8 : 4);
    if (from.failed || header > (uint64_t)(from.end - from.at)) return unit->version = 0, true;
    unit->program = (cursor){from.at + header, from.end, false, 0};
    unit->minimum_length = (unsigned)read_fixed(&from, 1);
    if (unit->version >= 4) read_fixed(&from, 1); // operations an instruction
    read_fixed(&from, 1);                         // is a statement
    unit->line_base = (int8_t)read_fixed(&from, 1);
    unit->line_range = (unsigned)read_fixed(&from, 1);
    unit->first_special = (unsigned)read_fixed(&from, 1);
    unit->operand_counts = from.at;
    for (unsigned index = 1; index < unit->first_special; index++) read_fixed(&from, 1);
    unit->tables = from;
    if (from.failed || unit->first_special == 0 || unit->line_range == 0) unit->version = 0;
    return true;
}

static const char *string_at(cursor section, uint64_t offset) {
    if (offset >= (uint64_t)(section.end - section.at)) return "";
    section.at += offset;
    return read_string(&section);
}

// Reads a string, or a number and NULL.
static const char *read_form(cursor *from, uint64_t form, const unit *unit, const sections *sections, uint64_t *number) {
    size_t word = unit->is_wide ? 8 : 4;
    switch (form) {
    case 0x08: return read_string(from);                                                      // string
    case 0x1f: return string_at(sections->line_strings, read_fixed(from, word));              // line_strp
    case 0x0e: return string_at(sections->strings, read_fixed(from, word));                   // strp
    case 0x0b: *number = read_fixed(from, 1); return NULL;
    case 0x05: *number = read_fixed(from, 2); return NULL;
    case 0x06: *number = read_fixed(from, 4); return NULL;
    case 0x0f: *number = read_uleb(from); return NULL;
    case 0x1e: read_fixed(from, 8); read_fixed(from, 8); return NULL;                         // data16
    default: from->failed = true; return NULL;
    }
}

// Reads an entry of a table of directories or files, as in version 5: its path, and the number of its directory.
static const char *find_entry(
    cursor *from, const unit *unit, const sections *sections, uint64_t wanted, uint64_t *directory
) {
    const char *path = NULL;
    uint64_t kinds = read_fixed(from, 1), formats[16][2];
    if (kinds > 16) from->failed = true;
    for (uint64_t index = 0; index < kinds && !from->failed; index++) {
        formats[index][0] = read_uleb(from);
        formats[index][1] = read_uleb(from);
    }
    uint64_t count = kinds > 0 ? read_uleb(from) : 0;
    for (uint64_t entry = 0; entry < count && !from->failed; entry++) {
        for (uint64_t index = 0; index < kinds; index++) {
            uint64_t number = 0;
            const char *string = read_form(from, formats[index][1], unit, sections, &number);
            if (entry != wanted) continue;
            if (formats[index][0] == 1) path = string;
            if (formats[index][0] == 2) *directory = number;
        }
    }
    return path;
}

static char *joined(const char *directory, const char *name) {
    char *path = NULL;
    if (!name) return NULL;
    if (*name == '/' || !directory || *directory == 0) return strdup(name);
    return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

// Returns the path of file `wanted` of a unit.
static char *path_of(const unit *unit, const sections *sections, uint64_t wanted) {
    cursor from = unit->tables;
    uint64_t directory = 0, none = 0;
    if (unit->version >= 5) {
        cursor directories = from;
        find_entry(&from, unit, sections, UINT64_MAX, &none);
        const char *name = find_entry(&from, unit, sections, wanted, &directory);
        return joined(find_entry(&directories, unit, sections, directory, &none), name);
    }
    cursor directories = from;
    while (*read_string(&from) != 0 && !from.failed) {}
    for (uint64_t number = 1; !from.failed; number++) {
        const char *name = read_string(&from);
        if (*name == 0) return NULL;
        directory = read_uleb(&from);
        read_uleb(&from); // when it was changed
        read_uleb(&from); // its size
        if (number != wanted) continue;
        const char *place = "";
        for (uint64_t index = 1; index <= directory && !directories.failed; index++) place = read_string(&directories);
        return joined(place, name);
    }
    return NULL;
}

// MARK: Lines

static int by_address(const void *left, const void *right) {
    uintptr_t a = ((const muv_line *)left)->address, b = ((const muv_line *)right)->address;
    return a < b ? -1 : a > b;
}

typedef struct place {
    uint64_t address, file;
    int64_t line;
    bool is_there;
} place;

// The code between two places was compiled from the first one's line.
static void fill(place from, uint64_t end, const unit *unit, const sections *sections, muv_line *lines, int count) {
    if (!from.is_there || from.address == 0 || end <= lines[0].address || from.address > lines[count - 1].address) return;
    int index = 0;
    for (int high = count; index < high;) {
        int middle = index + (high - index) / 2;
        if (lines[middle].address < from.address) index = middle + 1;
        else high = middle;
    }
    for (; index < count && lines[index].address < end; index++) {
        if (lines[index].file || from.line <= 0) continue;
        lines[index].line = (uint32_t)from.line;
        lines[index].file = path_of(unit, sections, from.file);
    }
}

static void run(const unit *unit, const sections *sections, muv_line *lines, int count) {
    cursor from = unit->program;
    const place start = {.file = 1, .line = 1};
    place now = start, before = {0};
    unsigned special = (255 - unit->first_special) / unit->line_range * unit->minimum_length;
    while (from.at < from.end && !from.failed) {
        uint8_t code = *from.at++;
        bool is_row = false, is_end = false;
        if (code >= unit->first_special) {
            unsigned adjusted = code - unit->first_special;
            now.address += adjusted / unit->line_range * unit->minimum_length;
            now.line += unit->line_base + (int)(adjusted % unit->line_range);
            is_row = true;
        } else {
            switch (code) {
            case 0: {
                uint64_t length = read_uleb(&from);
                if (length == 0 || length > (uint64_t)(from.end - from.at)) return;
                const uint8_t *next = from.at + length;
                uint8_t extended = *from.at++;
                if (extended == 1) is_row = is_end = true;
                if (extended == 2) now.address = read_fixed(&from, length - 1 < 8 ? length - 1 : 8);
                from.at = next;
                break;
            }
            case 1: is_row = true; break;                                         // copy
            case 2: now.address += read_uleb(&from) * unit->minimum_length; break;
            case 3: now.line += read_sleb(&from); break;
            case 4: now.file = read_uleb(&from); break;
            case 8: now.address += special; break;                                // const_add_pc
            case 9: now.address += read_fixed(&from, 2); break;                   // fixed_advance_pc
            default: // columns, marks and what else does not matter here
                for (int left = unit->operand_counts[code - 1]; left > 0; left--) read_uleb(&from);
            }
        }
        if (!is_row) continue;
        if (now.address > before.address) fill(before, now.address, unit, sections, lines, count);
        // Code that the compiler has added has line 0: the line before it is used.
        place next = {now.address, now.line > 0 ? now.file : before.file, now.line > 0 ? now.line : before.line, true};
        before = next;
        if (is_end) {
            now = start;
            before = (place){0};
        }
    }
}

// MARK: Files

static bool lies_within(size_t length, uint64_t offset, uint64_t count) {
    return offset <= length && count <= length - offset;
}

static sections find_sections(const char *file, size_t length) {
    sections found = {0};
    const Elf64_Ehdr *header = (const void *)file;
    if (length < sizeof *header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return found;
    if (header->e_shentsize != sizeof(Elf64_Shdr) || header->e_shstrndx >= header->e_shnum) return found;
    if (!lies_within(length, header->e_shoff, (uint64_t)header->e_shnum * sizeof(Elf64_Shdr))) return found;
    const Elf64_Shdr *all = (const void *)(file + header->e_shoff), *names = &all[header->e_shstrndx];
    if (!lies_within(length, names->sh_offset, names->sh_size)) return found;
    for (int index = 0; index < header->e_shnum; index++) {
        const Elf64_Shdr *section = &all[index];
        if (section->sh_type == SHT_NOBITS || section->sh_flags & SHF_COMPRESSED) continue;
        if (!lies_within(length, section->sh_offset, section->sh_size) || section->sh_name >= names->sh_size) continue;
        const char *name = file + names->sh_offset + section->sh_name;
        size_t room = names->sh_size - section->sh_name;
        const uint8_t *begin = (const uint8_t *)file + section->sh_offset;
        cursor contents = {begin, begin + section->sh_size, false, 0};
        if (strncmp(name, ".debug_line", room) == 0) found.lines = contents;
        else if (strncmp(name, ".debug_line_str", room) == 0) found.line_strings = contents;
        else if (strncmp(name, ".debug_str", room) == 0) found.strings = contents;
    }
    return found;
}

// Finds the lines of addresses as they are in the file, sorted.
static void find_in(const loaded_file *loaded, muv_line *lines, int count) {
    int descriptor = muv_open_file(loaded);
    if (descriptor < 0) return;
    struct stat status;
    size_t length = fstat(descriptor, &status) == 0 && status.st_size > 0 ? (size_t)status.st_size : 0;
    const char *file = length ? mmap(NULL, length, PROT_READ, MAP_PRIVATE, descriptor, 0) : MAP_FAILED;
    close(descriptor);
    if (file == MAP_FAILED) return;
    sections sections = find_sections(file, length);
    unit unit;
    for (cursor all = sections.lines; all.at < all.end && read_unit(&all, &unit);) {
        if (unit.version > 0) run(&unit, &sections, lines, count);
    }
    munmap((void *)file, length);
}

void muv_lines_find(muv_line *lines, int count) {
    bool *is_done = calloc((size_t)count, sizeof *is_done);
    muv_line *here = calloc((size_t)count, sizeof *here);
    loaded_file file, other;
    for (int first = 0; is_done && here && first < count; first++) {
        if (is_done[first] || !muv_find_file(lines[first].address, &file)) continue;
        int found = 0;
        for (int index = first; index < count; index++) {
            if (is_done[index] || !muv_find_file(lines[index].address, &other) || other.base != file.base) continue;
            is_done[index] = true;
            here[found++] = (muv_line){.address = lines[index].address - file.base};
        }
        qsort(here, (size_t)found, sizeof *here, by_address);
        find_in(&file, here, found);
        for (int index = 0; index < found; index++) {
            bool is_taken = false;
            for (int line = 0; line < count; line++) {
                if (lines[line].address != here[index].address + file.base || lines[line].file) continue;
                if (here[index].file == NULL) break;
                lines[line].line = here[index].line;
                lines[line].file = is_taken ? strdup(here[index].file) : here[index].file;
                is_taken = true;
            }
            if (!is_taken) free(here[index].file);
        }
    }
    free(is_done);
    free(here);
}

#else

void muv_lines_find(muv_line *lines, int count) {
    (void)lines;
    (void)count;
}

#endif
