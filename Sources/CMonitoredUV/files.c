#define _GNU_SOURCE
#include "files.h"

#if defined(__linux__)

#include "include/memory.h"
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum { head_size = 4096 };

// Hashes the beginning of a file: its headers, and the identity that the linker has given it.
static uint64_t hash(const uint64_t *head, size_t size) {
    uint64_t value = size;
    for (size_t index = 0; index < size / sizeof *head; index++) value = (value ^ head[index]) * 0x9e3779b97f4a7c15;
    return value ? value : 1;
}

// Returns how much of a file's beginning lies in its first segment, and where that is in memory.
static size_t find_head(uintptr_t base, const uint64_t *head, size_t size, uintptr_t *place) {
    const ElfW(Ehdr) *header = (const void *)head;
    if (size < sizeof *header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return 0;
    for (int index = 0; index < header->e_phnum; index++) {
        size_t at = header->e_phoff + (size_t)index * sizeof(ElfW(Phdr));
        if (at > size - sizeof(ElfW(Phdr))) break;
        const ElfW(Phdr) *part = (const void *)((const char *)head + at);
        if (part->p_type != PT_LOAD || part->p_offset != 0) continue;
        *place = base + part->p_vaddr;
        return part->p_filesz < size ? part->p_filesz : size;
    }
    return 0;
}

// The description of a loaded file may disappear at any moment, so it is copied.
bool muv_find_file(uintptr_t address, loaded_file *file) {
    struct link_map *map = NULL;
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
    // Avoids the lock that a thread holds while it is in dlopen.
    struct dl_find_object found;
    if (_dl_find_object((void *)address, &found) == 0) map = found.dlfo_link_map;
#else
    Dl_info info;
    if (!dladdr1((void *)address, &info, (void **)&map, RTLD_DL_LINKMAP)) map = NULL;
#endif
    struct link_map copy;
    size_t size = offsetof(struct link_map, l_name) + sizeof copy.l_name;
    if (!map || muv_copy_memory((uintptr_t)map, &copy, size) != size) return false;
    muv_copy_string((uintptr_t)copy.l_name, file->path, sizeof file->path);
    file->base = copy.l_addr;
    uint64_t head[head_size / sizeof(uint64_t)];
    uintptr_t begin = 0, place = 0;
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
    begin = (uintptr_t)found.dlfo_map_start;
#else
    begin = (uintptr_t)info.dli_fbase;
#endif
    // If a file has gaps between its segments, this may be a segment other than the first.
    uintptr_t begins[] = {begin, copy.l_addr};
    file->head = 0;
    for (int index = 0; index < 2 && file->head == 0; index++) {
        size_t count = muv_copy_memory(begins[index], head, sizeof head);
        count = find_head(copy.l_addr, head, count, &place);
        if (count > 0 && place == begins[index]) file->head = hash(head, count);
    }
    return true;
}

int muv_open_file(const loaded_file *file) {
    int descriptor = open(*file->path ? file->path : "/proc/self/exe", O_RDONLY | O_CLOEXEC);
    uint64_t head[head_size / sizeof(uint64_t)];
    uintptr_t place;
    ssize_t count = descriptor < 0 ? 0 : pread(descriptor, head, sizeof head, 0);
    size_t size = count > 0 ? find_head(file->base, head, (size_t)count, &place) : 0;
    if (size > 0 && hash(head, size) == file->head) return descriptor;
    if (descriptor >= 0) close(descriptor);
    return -1;
}

#endif
