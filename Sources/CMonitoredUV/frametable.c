#define _GNU_SOURCE
#include "frametable.h"

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))

#include "include/memory.h"
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>

// The tables that compilers write for exceptions (.eh_frame, in the format of DWARF's call frame information). They are
// copied to be read, because a library may be unloaded at any moment.

// MARK: Reading tables

static cursor copy(uintptr_t address, uint8_t *buffer, size_t size) {
    size = muv_copy_memory(address, buffer, size);
    return (cursor){buffer, buffer + size, size == 0, address - (uintptr_t)buffer};
}

// Reads a value of this form, without the base that it is relative to.
static uint64_t read_form(cursor *from, uint8_t encoding) {
    switch (encoding & 0x0f) {
    case 0x00: return read_fixed(from, sizeof(uintptr_t));
    case 0x01: return read_uleb(from);
    case 0x02: return read_fixed(from, 2);
    case 0x03: return read_fixed(from, 4);
    case 0x04: return read_fixed(from, 8);
    case 0x09: return (uint64_t)read_sleb(from);
    case 0x0a: return (uint64_t)(int64_t)(int16_t)read_fixed(from, 2);
    case 0x0b: return (uint64_t)(int64_t)(int32_t)read_fixed(from, 4);
    case 0x0c: return read_fixed(from, 8);
    default:
        from->failed = true;
        from->at = from->end;
        return 0;
    }
}

// Reads an address that is absolute or relative to its own place.
static uintptr_t read_address(cursor *from, uint8_t encoding) {
    uintptr_t place = (uintptr_t)from->at + from->distance;
    uint64_t value = read_form(from, encoding);
    if ((encoding & 0x70) == 0x10) value += place;
    else if ((encoding & 0x70) != 0x00) from->failed = true;
    return (uintptr_t)value;
}

// MARK: Finding a function's entry

// A loaded file.
typedef struct image {
    uintptr_t table, code_begin, code_end; // the part of its code that was looked for
} image;

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
// Takes no lock, unlike dl_iterate_phdr: another thread may be stuck in dlopen.
static bool find_image(uintptr_t address, image *image) {
    struct dl_find_object found;
    if (_dl_find_object((void *)address, &found) != 0) return false;
    // The table may lie in a segment other than the one that `found` describes.
    image->table = (uintptr_t)found.dlfo_eh_frame;
    // The addresses in a stack lie in few files.
    static _Thread_local struct { uintptr_t start, begin, end; } recent;
    uintptr_t start = (uintptr_t)found.dlfo_map_start, base = 0;
    if (recent.start == start && address >= recent.begin && address < recent.end) {
        image->code_begin = recent.begin;
        image->code_end = recent.end;
        return true;
    }
    if (muv_copy_memory((uintptr_t)&found.dlfo_link_map->l_addr, &base, sizeof base) != sizeof base) return false;
    // In a file with gaps between its segments, `found` describes one segment.
    uintptr_t places[] = {start, base};
    ElfW(Ehdr) header;
    for (int place = 0; place < 2; place++) {
        if (muv_copy_memory(places[place], &header, sizeof header) != sizeof header) continue;
        if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) continue;
        for (int index = 0; index < header.e_phnum; index++) {
            ElfW(Phdr) part;
            uintptr_t at = places[place] + header.e_phoff + (uintptr_t)index * sizeof part;
            if (muv_copy_memory(at, &part, sizeof part) != sizeof part) return false;
            if (part.p_type != PT_LOAD || !(part.p_flags & PF_X)) continue;
            uintptr_t begin = base + part.p_vaddr;
            if (address < begin || address - begin >= part.p_memsz) continue;
            recent.start = start;
            image->code_begin = recent.begin = begin;
            image->code_end = recent.end = begin + part.p_memsz;
            return true;
        }
        return false;
    }
    return false;
}
#else
typedef struct search {
    uintptr_t address;
    image image;
} search;

static int look(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    search *search = context;
    image image = {0};
    for (int index = 0; index < info->dlpi_phnum; index++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[index];
        uintptr_t begin = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_GNU_EH_FRAME) image.table = begin;
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_X)) continue;
        if (search->address < begin || search->address - begin >= header->p_memsz) continue;
        image.code_begin = begin;
        image.code_end = begin + header->p_memsz;
    }
    if (image.code_end) search->image = image;
    return image.code_end != 0;
}

static bool find_image(uintptr_t address, image *image) {
    search search = {.address = address};
    dl_iterate_phdr(look, &search);
    *image = search.image;
    return image->code_end != 0;
}
#endif

bool muv_is_code(uintptr_t address) {
    image image;
    return find_image(address, &image);
}

static bool read_entry(uintptr_t place, entry *entry);

// Finds the function's entry in the sorted table. If it has none, stores the space between its neighbors' entries.
static bool look_up(uintptr_t address, const image *image, entry *entry) {
    uintptr_t table = image->table;
    uint8_t head[32];
    cursor from = copy(table, head, sizeof head);
    uint8_t version = (uint8_t)read_fixed(&from, 1), frames = (uint8_t)read_fixed(&from, 1);
    uint8_t counts = (uint8_t)read_fixed(&from, 1), rows = (uint8_t)read_fixed(&from, 1);
    if (version != 1 || rows != 0x3b) return false; // sorted, relative to the table, 4 bytes
    read_address(&from, frames);
    uint64_t count = read_form(&from, counts);
    uintptr_t first = (uintptr_t)from.at + from.distance;
    if (from.failed || count == 0 || count > UINT32_MAX) return false;
    int32_t found[64][2]; // where functions begin, and their records
    uint64_t low = 0, high = count; // the function's row is at low or behind it, and before high
    while (high - low > 63) {
        uint64_t middle = low + (high - low) / 2;
        if (muv_copy_memory(first + middle * 8, found, sizeof found[0]) != sizeof found[0]) return false;
        if (table + (uintptr_t)(intptr_t)found[0][0] <= address) low = middle;
        else high = middle;
    }
    uint64_t last = high < count ? high + 1 : high, row = high - low;
    if (muv_copy_memory(first + low * 8, found, (last - low) * 8) != (last - low) * 8) return false;
    while (row > 0 && table + (uintptr_t)(intptr_t)found[row - 1][0] > address) row--;
    uintptr_t next = low + row < last ? table + (uintptr_t)(intptr_t)found[row][0] : image->code_end;
    if (row == 0 || !read_entry(table + (uintptr_t)(intptr_t)found[row - 1][1], entry)) return false;
    if (is_of(entry, address)) return true;
    entry->has_table = false;
    entry->begin += entry->size;
    entry->size = next > entry->begin ? next - entry->begin : 0;
    return is_of(entry, address);
}

bool muv_find_entry(uintptr_t address, entry *entry) {
    image image;
    if (!find_image(address, &image)) return false;
    if (image.table != 0 && look_up(address, &image, entry)) return true;
    entry->has_table = entry->is_signal_frame = false;
    entry->begin = image.code_begin;
    entry->size = image.code_end - image.code_begin;
    return true;
}

// Enters a record's contents, which begin with its length.
static bool enter_record(cursor *from) {
    uint64_t length = read_fixed(from, 4);
    if (from->failed || length == 0 || length == 0xffffffff) return false;
    if (length < (uint64_t)(from->end - from->at)) from->end = from->at + length;
    return true;
}

static bool read_entry(uintptr_t place, entry *entry) {
    cursor own = copy(place, entry->own_bytes, sizeof entry->own_bytes);
    if (!enter_record(&own)) return false;
    uintptr_t reference = (uintptr_t)own.at + own.distance;
    uint64_t back = read_fixed(&own, 4);
    if (own.failed || back == 0 || back > reference) return false;
    cursor common = copy(reference - back, entry->common_bytes, sizeof entry->common_bytes);
    if (!enter_record(&common) || read_fixed(&common, 4) != 0) return false;
    uint8_t version = (uint8_t)read_fixed(&common, 1);
    const char *augmentation = (const char *)common.at;
    size_t length = strnlen(augmentation, (size_t)(common.end - common.at));
    skip(&common, length + 1);
    entry->code_alignment = read_uleb(&common);
    entry->data_alignment = read_sleb(&common);
    entry->return_register = version == 1 ? read_fixed(&common, 1) : read_uleb(&common);
    entry->is_signal_frame = false;
    entry->has_table = true;
    uint8_t encoding = 0x00;
    if (length > 0 && augmentation[0] == 'z') {
        uint64_t size = read_uleb(&common);
        cursor data = common;
        skip(&common, size);
        for (size_t index = 1; index < length; index++) {
            switch (augmentation[index]) {
            case 'R': encoding = (uint8_t)read_fixed(&data, 1); break;
            case 'L': read_fixed(&data, 1); break;
            case 'P': {
                uint8_t form = (uint8_t)read_fixed(&data, 1);
                read_form(&data, form);
                break;
            }
            case 'S': entry->is_signal_frame = true; break;
            case 'B': break; // return addresses are signed on arm64
            default: index = length; break;
            }
        }
        if (data.failed) return false;
    } else if (length > 0) {
        return false;
    }
    entry->begin = read_address(&own, encoding);
    entry->size = (uintptr_t)read_form(&own, encoding);
    if (length > 0) skip(&own, read_uleb(&own));
    entry->common = common;
    entry->own = own;
    return !common.failed && !own.failed && entry->return_register < register_count;
}

#else

bool muv_is_code(uintptr_t address) {
    (void)address;
    return false;
}

#endif
