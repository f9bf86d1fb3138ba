#define _GNU_SOURCE
#include "files.h"

#if defined(__linux__)

#include "include/memory.h"
#include <dlfcn.h>
#include <link.h>
#include <stddef.h>

// What describes a loaded file may go at any moment, so it is copied.
bool muv_find_file(uintptr_t address, loaded_file *file) {
    struct link_map *map = NULL;
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
    // Without the lock that a thread holds for as long as it is in dlopen.
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
    return true;
}

#endif
