// Names of functions, from the symbol tables of the program and its libraries: closures and the parts of async
// functions are local symbols, which dladdr does not find. Any thread.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Returns the symbol that contains `address`, in malloc'ed memory, demangled if it is Swift's; NULL if there is none.
// `offset` is the distance from the start of the symbol. The first lookup in a library reads its table.
char *muv_symbol_copy(uintptr_t address, size_t *offset);

// Returns the symbol `name` in malloc'ed memory, demangled if it is Swift's.
char *muv_demangled_copy(const char *name);

// Writes the name of the library that contains `address` into memory of `size` bytes: empty for the program itself, and
// if there is none.
void muv_symbol_file(uintptr_t address, char *name, size_t size);

// Returns a value that distinguishes the code at `address` from code there after its library was unloaded; 0 if there
// is none.
uint64_t muv_code_identity(uintptr_t address);

// Returns whether the function around `address` is async, or a part of an async function.
bool muv_symbol_is_async(uintptr_t address);

// Returns whether the mangled name of the function around `address` contains `text`.
bool muv_symbol_contains(uintptr_t address, const char *text);

// Reads the tables of the program itself and of Swift's concurrency library now instead of at the first lookup.
void muv_symbols_load(void);

// Returns whether an async function pointer begins at `address`. It holds the function, which is stored in `function`,
// and the size of its frame.
bool muv_async_function_pointer(uintptr_t address, uintptr_t *function);
