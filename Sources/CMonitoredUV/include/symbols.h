// Names of functions, from the symbol tables of the program and its libraries: closures and the parts of async
// functions are local symbols, which dladdr does not find. For any thread.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The symbol that `address` lies in, in malloc'ed memory: demangled if it is Swift's. NULL if there is none. `offset`
// is the distance from the symbol's beginning. The first look into a library reads its table.
char *muv_symbol_copy(uintptr_t address, size_t *offset);

// The symbol `name` in malloc'ed memory: demangled if it is Swift's.
char *muv_demangled_copy(const char *name);

// Writes the name of the library that `address` lies in, empty for the program itself and where there is none, into
// memory of `size` bytes.
void muv_symbol_file(uintptr_t address, char *name, size_t size);

// Tells the code at `address` from what is there after its library was unloaded; 0 where there is none.
uint64_t muv_code_identity(uintptr_t address);

// Whether the function around `address` is async, or a part of one that is.
bool muv_symbol_is_async(uintptr_t address);

// Whether the mangled name of the function around `address` contains `text`.
bool muv_symbol_contains(uintptr_t address, const char *text);

// Reads the tables of the program itself and of Swift's concurrency library now, and not with the first look into them.
void muv_symbols_load(void);

// Whether `address` begins an async function pointer, which tells the function and its frame's size; `function` is then
// that function.
bool muv_async_function_pointer(uintptr_t address, uintptr_t *function);
