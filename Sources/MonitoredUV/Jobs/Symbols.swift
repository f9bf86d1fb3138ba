internal import CMonitoredUV

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The names of this process's functions.
enum Symbols {
    /// The C functions below share a table of the libraries that were looked into. The value counts the looks.
    private static let looks = Lock(0)

    /// Reads the program's own symbols, which takes some milliseconds, now instead of with the first look.
    static func load() {
        looks.withLock { looks in
            looks += 1
            muv_symbols_load()
        }
    }

    /// What the symbol table says of the function around `address`, demangled.
    static func demangledName(at address: UInt) -> String? {
        looks.withLock { looks in
            looks += 1
            var offset = 0
            guard let text = muv_symbol_copy(address, &offset) else { return nil }
            defer { free(text) }
            return String(cString: text)
        }
    }

    /// Whether the function at `address` is one of those of Swift's own that wake sleeping tasks.
    static func isInRuntime(_ address: UInt) -> Bool {
        if muv_is_known_in_runtime(address) { return true }
        return looks.withLock { looks in
            looks += 1
            return muv_is_in_runtime(address)
        }
    }

    /// The function that an async function pointer at `address` stands for; `nil` if there is none.
    static func function(ofAsyncFunctionPointerAt address: UInt) -> UInt? {
        looks.withLock { looks in
            looks += 1
            var function: UInt = 0
            return muv_async_function_pointer(address, &function) ? function : nil
        }
    }
}
