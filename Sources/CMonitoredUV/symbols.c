#define _GNU_SOURCE
#include "files.h"
#include "include/memory.h"
#include "include/symbols.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// The runtime's own demangler; flags must be 0. Weak, for runtimes that do not have it.
extern char *swift_demangle(const char *, size_t, char *, size_t *, uint32_t) __attribute__((weak));
extern char swift_task_cancel[] __attribute__((weak));

#if defined(__linux__)

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct symbol {
    uintptr_t address, size;
    const char *name;
} symbol;

// A loaded file. Its mapping stays: names point into it.
typedef struct object {
    uintptr_t base;
    uint64_t head;
    symbol *symbols;
    size_t count;
    bool is_stripped;
    struct object *next;
} object;

// Only grows, at the front.
static _Atomic(object *) objects;

static int by_address(const void *left, const void *right) {
    uintptr_t a = ((const symbol *)left)->address, b = ((const symbol *)right)->address;
    return a < b ? -1 : a > b;
}

// Selects functions, and the constants that describe async functions.
static bool is_wanted(const ElfW(Sym) *entry) {
    if (entry->st_value == 0 || entry->st_shndx == SHN_UNDEF) return false;
    int type = ELF64_ST_TYPE(entry->st_info);
    return type == STT_FUNC || (type == STT_OBJECT && entry->st_size == 8);
}

// Whether `count` items of `size` bytes at `offset` lie within a file of `length` bytes.
static bool lies_within(size_t length, uint64_t offset, uint64_t count, uint64_t size) {
    return offset <= length && (size == 0 || count <= (length - offset) / size);
}

// Stores the table of this kind; false if the file has none.
static bool read_table(object *object, const char *file, size_t length, ElfW(Word) kind) {
    const ElfW(Ehdr) *header = (const void *)file;
    if (length < sizeof *header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return false;
    if (header->e_shentsize != sizeof(ElfW(Shdr))) return false;
    if (!lies_within(length, header->e_shoff, header->e_shnum, sizeof(ElfW(Shdr)))) return false;
    const ElfW(Shdr) *sections = (const void *)(file + header->e_shoff);
    for (int number = 0; number < header->e_shnum; number++) {
        const ElfW(Shdr) *table = &sections[number];
        if (table->sh_type != kind || table->sh_link >= header->e_shnum) continue;
        const ElfW(Shdr) *names = &sections[table->sh_link];
        if (!lies_within(length, table->sh_offset, table->sh_size, 1)) continue;
        if (!lies_within(length, names->sh_offset, names->sh_size, 1) || names->sh_size == 0) continue;
        if (file[names->sh_offset + names->sh_size - 1] != 0) continue;
        size_t count = table->sh_size / sizeof(ElfW(Sym));
        const ElfW(Sym) *entries = (const void *)(file + table->sh_offset);
        object->symbols = malloc(count * sizeof(symbol));
        if (!object->symbols) return false;
        for (size_t index = 0; index < count; index++) {
            if (!is_wanted(&entries[index]) || entries[index].st_name >= names->sh_size) continue;
            const char *name = file + names->sh_offset + entries[index].st_name;
            object->symbols[object->count++] = (symbol){entries[index].st_value, entries[index].st_size, name};
        }
        qsort(object->symbols, object->count, sizeof(symbol), by_address);
        return true;
    }
    return false;
}

static object *find_object(const loaded_file *file) {
    // After a library is unloaded, another one may be at its address.
    for (object *known = atomic_load(&objects); known; known = known->next) {
        if (known->base == file->base && known->head == file->head) return known;
    }
    int descriptor = muv_open_file(file);
    // If descriptors are lacking, it may be read later.
    if (descriptor < 0 && (errno == EMFILE || errno == ENFILE)) return NULL;
    object *found = calloc(1, sizeof *found);
    if (!found) {
        if (descriptor >= 0) close(descriptor);
        return NULL;
    }
    found->base = file->base;
    found->head = file->head;
    struct stat status;
    if (descriptor >= 0 && fstat(descriptor, &status) == 0 && status.st_size > 0) {
        void *file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        // A stripped file still names what it exports.
        if (file != MAP_FAILED && !read_table(found, file, (size_t)status.st_size, SHT_SYMTAB)) {
            found->is_stripped = true;
            (void)read_table(found, file, (size_t)status.st_size, SHT_DYNSYM);
        }
    }
    if (descriptor >= 0) close(descriptor);
    // Two threads may have read the same file; either table will do.
    found->next = atomic_load(&objects);
    while (!atomic_compare_exchange_weak(&objects, &found->next, found)) {}
    return found;
}

// Returns the mangled name, or NULL.
static const char *find(uintptr_t address, size_t *offset) {
    loaded_file file;
    if (!muv_find_file(address, &file)) return NULL;
    object *object = find_object(&file);
    if (!object || object->count == 0) return NULL;
    uintptr_t wanted = address - file.base;
    size_t low = 0, high = object->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (object->symbols[middle].address <= wanted) low = middle + 1;
        else high = middle;
    }
    if (low == 0) return NULL;
    const symbol *nearest = &object->symbols[low - 1];
    // A symbol without a size may extend to the next one, if that is known.
    if (nearest->size == 0 ? object->is_stripped : wanted >= nearest->address + nearest->size) return NULL;
    *offset = wanted - nearest->address;
    return nearest->name;
}

void muv_symbol_file(uintptr_t address, char *name, size_t size) {
    loaded_file file;
    if (!muv_find_file(address, &file)) *file.path = 0;
    const char *last = strrchr(file.path, '/');
    snprintf(name, size, "%s", last ? last + 1 : file.path);
}

uint64_t muv_code_identity(uintptr_t address) {
    loaded_file file;
    return muv_find_file(address, &file) ? file.head ^ file.base : 0;
}

#else

static const char *find(uintptr_t address, size_t *offset) {
    Dl_info info;
    if (!dladdr((void *)address, &info) || !info.dli_sname) return NULL;
    *offset = address - (uintptr_t)info.dli_saddr;
    return info.dli_sname;
}

void muv_symbol_file(uintptr_t address, char *name, size_t size) { *name = 0; }

uint64_t muv_code_identity(uintptr_t address) { return 1; }

#endif

bool muv_symbol_is_async(uintptr_t address) {
    size_t offset;
    const char *name = find(address, &offset);
    // An async function's type says so; its parts have numbers.
    return name && strstr(name, "$s") && (strstr(name, "Ya") || strstr(name, "TQ") || strstr(name, "TY"));
}

bool muv_symbol_contains(uintptr_t address, const char *text) {
    size_t offset;
    const char *name = find(address, &offset);
    return name && strstr(name, text);
}

void muv_symbols_load(void) {
    size_t offset;
    find((uintptr_t)&muv_symbols_load, &offset);
    if (swift_task_cancel) find((uintptr_t)swift_task_cancel, &offset);
}

char *muv_symbol_copy(uintptr_t address, size_t *offset) {
    const char *name = find(address, offset);
    if (!name) return NULL;
    return muv_demangled_copy(name);
}

char *muv_demangled_copy(const char *name) {
    bool is_swift = strncmp(name, "$s", 2) == 0 || strncmp(name, "_$s", 3) == 0 || strncmp(name, "$S", 2) == 0;
    char *demangled = is_swift && swift_demangle ? swift_demangle(name, strlen(name), NULL, NULL, 0) : NULL;
    return demangled ? demangled : strdup(name);
}

bool muv_async_function_pointer(uintptr_t address, uintptr_t *function) {
    size_t offset;
    if (address == 0 || address % 4 != 0) return false;
    const char *name = find(address, &offset);
    size_t length = name ? strlen(name) : 0;
    if (length < 2 || offset != 0 || strcmp(name + length - 2, "Tu") != 0) return false;
    *function = address + *(const int32_t *)address;
    return true;
}
