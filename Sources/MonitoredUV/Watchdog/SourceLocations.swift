#if RuntimeInterfaces && os(Linux) && compiler(>=6.3) && canImport(Runtime)
    @_spi(Internal) @_spi(MemoryReaders) import Runtime
    internal import CMonitoredUV
    import Synchronization

    /// Files, lines and inlined functions, from the program's debug information: through interfaces of Swift's Runtime
    /// module that are not public yet.
    enum SourceLocations {
        /// Whether a stack is looked up within some milliseconds: not in programs that were built for debugging. `false`
        /// until ``tryOut()`` has found out.
        static var areQuick: Bool { quick.load(ordering: .relaxed) }

        private static let quick = Atomic<Bool>(false)

        /// Looks something up, to see how long that takes when it is not the first time.
        static func tryOut() {
            let address = UInt(bitPattern: unsafeBitCast(mark, to: Int.self))
            _ = frames([address], [])
            let start = MonotonicClock.read()
            _ = frames([address], [])
            quick.store(MonotonicClock.read() - start < 50_000_000, ordering: .relaxed)
        }

        private static let mark: @convention(c) () -> Void = {}

        /// What is loaded. Read by copies that may fail: a library may be unloaded at any moment.
        private static func images() -> ImageMap {
            ImageMap.capture(using: CopyingReader(), forProcess: nil)
        }

        private struct CopyingReader: MemoryReader {
            struct Unreadable: Error {}

            func fetch(from address: Address, into buffer: UnsafeMutableRawBufferPointer) throws {
                if muv_copy_memory(UInt(address), buffer.baseAddress, buffer.count) != buffer.count {
                    throw Unreadable()
                }
            }
        }

        /// The frames of a stack, innermost first: where the thread was, where its calls return to, where async callers
        /// go on. `nil` where the module cannot tell.
        static func frames(_ counters: [UInt], _ resumePoints: [UInt]) -> [StackFrame]? {
            #if arch(x86_64)
                let architecture = "x86_64"
            #elseif arch(arm64)
                let architecture = "arm64"
            #else
                return nil
            #endif
            var addresses: [RichFrame<UInt>] = counters.enumerated().map {
                $0.offset == 0 ? .programCounter($0.element) : .returnAddress($0.element)
            }
            addresses += resumePoints.map { .asyncResumePoint($0) }
            let backtrace = Backtrace(architecture: architecture, frames: addresses, images: images())
            guard let symbolicated = backtrace.symbolicated(options: .default) else { return nil }
            return symbolicated.frames.map { frame in
                let address = UInt(frame.captured.adjustedProgramCounter) ?? 0
                let role: StackFrame.Role =
                    if case .asyncResumePoint = frame.captured { .asyncCaller } else if frame.inlined { .inlined } else
                    {
                        .call
                    }
                let location = frame.symbol?.sourceLocation
                // Line 0 is code that the compiler made.
                let isKnown = location.map { $0.line > 0 && !$0.path.hasPrefix("<") } ?? false
                // An inlined function has no symbol of its own; of the others the symbol table knows more than most.
                let inlinedName = frame.symbol.map { Symbols.demangled($0.rawName) }
                let name = role == .inlined ? inlinedName : Symbols.demangledName(at: address) ?? inlinedName
                return StackFrame(
                    symbol: name,
                    address: address,
                    file: isKnown ? location?.path : nil,
                    line: isKnown ? location?.line : nil,
                    role: role
                )
            }
        }
    }
#else
    /// Debug information is not looked into here.
    enum SourceLocations {
        static let areQuick = true
        static func tryOut() {}

        static func frames(_ counters: [UInt], _ resumePoints: [UInt]) -> [StackFrame]? { nil }
    }
#endif
