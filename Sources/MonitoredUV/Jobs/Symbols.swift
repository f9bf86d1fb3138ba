import CMonitoredUV
import MonitoredUVPlatform

/// The names of this process's functions. Any thread.
enum Symbols {
    /// Reads the program's own symbols, which takes some milliseconds, now instead of with the first look.
    static func load() { muv_symbols_load() }

    /// The demangled name of the function around `address`, from the symbol table.
    static func demangledName(at address: UInt) -> String? {
        var offset = 0
        guard let text = muv_symbol_copy(address, &offset) else { return nil }
        defer { free(text) }
        return String(cString: text)
    }

    /// A symbol, demangled if it is Swift's.
    static func demangled(_ symbol: String) -> String {
        guard let text = muv_demangled_copy(symbol) else { return symbol }
        defer { free(text) }
        return String(cString: text)
    }

    /// The library that `address` lies in; `nil` for the program itself.
    static func library(at address: UInt) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            muv_symbol_file(address, buffer.baseAddress, buffer.count)
            let name = String(cString: buffer.baseAddress!)
            return name.isEmpty ? nil : name
        }
    }

    /// Whether the mangled name of the function around `address` contains `text`.
    static func name(at address: UInt, contains text: String) -> Bool { muv_symbol_contains(address, text) }

    /// Whether the function around `address` is async, or a part of one that is.
    static func isAsync(_ address: UInt) -> Bool { muv_symbol_is_async(address) }

    /// Whether the function at `address` is one of those of Swift's own that wake sleeping tasks.
    static func isInRuntime(_ address: UInt) -> Bool {
        muv_is_known_in_runtime(address) || muv_is_in_runtime(address)
    }

    /// The function that an async function pointer at `address` stands for; `nil` if there is none.
    static func function(ofAsyncFunctionPointerAt address: UInt) -> UInt? {
        var function: UInt = 0
        return muv_async_function_pointer(address, &function) ? function : nil
    }
}
