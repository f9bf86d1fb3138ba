import CMonitoredUV
import MonitoredUVPlatform

/// The names of this process's functions. Any thread.
enum Symbols {
    /// Reads the program's own symbols, which takes a few milliseconds, now instead of at the first lookup.
    static func load() { muv_symbols_load() }

    /// Returns the demangled name of the function around `address`, from the symbol table.
    static func demangledName(at address: UInt) -> String? {
        var offset = 0
        guard let text = muv_symbol_copy(address, &offset) else { return nil }
        defer { free(text) }
        return String(cString: text)
    }

    /// Returns a symbol, demangled if it is Swift's.
    static func demangled(_ symbol: String) -> String {
        guard let text = muv_demangled_copy(symbol) else { return symbol }
        defer { free(text) }
        return String(cString: text)
    }

    /// Returns the library that contains `address`; `nil` for the program itself.
    static func library(at address: UInt) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            muv_symbol_file(address, buffer.baseAddress, buffer.count)
            let name = String(cString: buffer.baseAddress!)
            return name.isEmpty ? nil : name
        }
    }

    /// Returns whether the mangled name of the function around `address` contains `text`.
    static func name(at address: UInt, contains text: String) -> Bool { muv_symbol_contains(address, text) }

    /// Returns whether the function around `address` is async, or a part of an async function.
    static func isAsync(_ address: UInt) -> Bool { muv_symbol_is_async(address) }

    /// Returns whether the function at `address` is one of Swift's own that wake sleeping tasks.
    static func isInRuntime(_ address: UInt) -> Bool {
        muv_is_known_in_runtime(address) || muv_is_in_runtime(address)
    }

    /// Returns the function of the async function pointer at `address`; `nil` if there is none.
    static func function(ofAsyncFunctionPointerAt address: UInt) -> UInt? {
        var function: UInt = 0
        return muv_async_function_pointer(address, &function) ? function : nil
    }
}
