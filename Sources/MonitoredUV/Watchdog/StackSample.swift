import CMonitoredUV

/// The stack of a loop's thread at one instant: addresses, until the functions are needed.
struct StackSample: Sendable {
    /// Innermost first: where the thread was, then where each call returns to.
    private let programCounters: [UInt]
    /// For each of those functions, if it may be async: where its async callers resume.
    private let chains: [[UInt]]
    /// Whether the thread was blocked in a system call.
    private let isWaiting: Bool
    /// The loop's position among those that run on the thread: 0 is the outermost.
    private let depth: Int

    private static let deepest = 128
    /// The runtime's function that calls the jobs of tasks.
    private static let jobRunner = "runJobInEstablishedExecutorContext"
    /// The functions that run loops: libuv's, and parts of the names of SwiftNIO's.
    private static let loopRunner = "uv_run"
    private static let foreignRunners = ["NIOPosix19SelectableEventLoopC3run", "EventLoopGroupC10runTheLoop"]

    /// Unwinds a captured stack, without looking up any names.
    init(_ stack: UnsafeMutablePointer<muv_stack>, depth: Int = 0) {
        self.depth = depth
        var bases: [UInt] = []
        programCounters = Array(unsafeUninitializedCapacity: Self.deepest) { programCounters, count in
            bases = Array(unsafeUninitializedCapacity: Self.deepest) { bases, baseCount in
                let most = Int32(Self.deepest)
                count = Int(muv_stack_unwind(stack, programCounters.baseAddress, bases.baseAddress, most))
                baseCount = count
            }
        }
        chains = bases.map { Self.chain(below: $0, stack) }
        isWaiting = stack.pointee.is_waiting && stack.pointee.system_call >= 0
    }

    /// Returns where the async callers resume. A frame of an async function keeps the function's context right below
    /// its frame pointer. Each context begins with its caller's context and the address where the caller resumes.
    private static func chain(below base: UInt, _ stack: UnsafeMutablePointer<muv_stack>) -> [UInt] {
        var context: UInt = 0
        guard base > 8, muv_stack_read(stack, base - 8, &context) else { return [] }
        var found: [UInt] = []
        while found.count < 32, context % 8 == 0 {
            var words: (UInt, UInt) = (0, 0)
            let isRead = withUnsafeMutableBytes(of: &words) { muv_copy_memory(context, $0.baseAddress, 16) == 16 }
            guard isRead, words.0 != 0, muv_is_code(words.1) else { break }
            found.append(words.1)
            context = words.0
        }
        return found
    }

    /// The async callers of the function that the runtime has resumed.
    private var resumePoints: ArraySlice<UInt> {
        let runner = programCounters.dropFirst().firstIndex {
            Symbols.name(at: $0 - 1, contains: Self.jobRunner) || Symbols.name(at: $0 - 1, contains: Self.loopRunner)
                || Self.isForeignRunner($0 - 1)
        }
        guard let runner, Symbols.name(at: programCounters[runner] - 1, contains: Self.jobRunner) else { return [] }
        let frame = runner - 1
        guard Symbols.isAsync(programCounters[frame] - (frame == 0 ? 0 : 1)) else { return [] }
        return chains[frame].prefix(while: Symbols.isAsync)
    }

    /// The functions, innermost first, up to the dispatch: names from the symbol tables, files and lines from debug
    /// information. Takes milliseconds.
    var stack: Stack {
        let named = named
        let calls = named.prefix(programCounters.count)
        return Stack(
            frames: SourceLines.add(to: trimmed(named)),
            call: isWaiting ? BlockingCall.name(calls.map { ($0.frame, Symbols.library(at: $0.address)) }) : nil
        )
    }

    /// The functions of ``stack``, without files and lines.
    var functions: [StackFrame] { trimmed(named).map(\.frame) }

    private var named: [(frame: StackFrame, address: UInt)] {
        let resumePoints = resumePoints
        let addresses = programCounters.enumerated().map { $0.offset == 0 ? $0.element : $0.element - 1 } + resumePoints
        return addresses.enumerated().map { index, address in
            let role: StackFrame.Role = index < programCounters.count ? .call : .asyncCaller
            var frame = Self.known[address] ?? StackFrame(symbol: symbol(at: index, address), address: address)
            Self.known[address] = frame
            frame.role = role
            return (frame: frame, address: address)
        }
    }

    private static let known = KnownAddresses<StackFrame>()

    struct Stack: Sendable {
        var frames: [StackFrame] = []
        /// The call that the thread was blocked in.
        var call: String?
    }

    /// Returns the symbol of a function; for one without a symbol of its own, that of the function its caller has
    /// called.
    private func symbol(at index: Int, _ address: UInt) -> String? {
        if let symbol = Symbols.demangledName(at: address) { return symbol }
        guard index + 1 < programCounters.count else { return nil }
        let function = muv_called_function(programCounters[index + 1])
        return function == 0 ? nil : Symbols.demangledName(at: function)
    }

    private static func isForeignRunner(_ address: UInt) -> Bool {
        foreignRunners.contains { Symbols.name(at: address, contains: $0) }
    }

    private func trimmed(_ frames: [(frame: StackFrame, address: UInt)]) -> [(frame: StackFrame, address: UInt)] {
        // The frames that run the loop, and those that lead to the program's code, are of no interest.
        let callers = programCounters.count
        // For loops that run in callbacks of others, their own frames are of interest.
        let runsLoop = { (frame: StackFrame, address: UInt) in
            frame.function == Self.loopRunner || Self.isForeignRunner(address)
        }
        let runs = frames[..<callers].indices.filter { runsLoop(frames[$0].frame, frames[$0].address) }
        let inner = runs.dropLast(depth + 1).last.map { $0 + 1 } ?? frames.startIndex
        let entry = frames[inner..<callers].firstIndex { (frame, address) in
            runsLoop(frame, address) || frame.function.contains(Self.jobRunner)
        }
        guard let entry else { return frames }
        let last = frames[..<entry].lastIndex { $0.frame.isOwn }
        return (frames[...(last ?? entry)] + frames[callers...]).reduce(into: []) { kept, next in
            // A library without names is listed once, and so is a closure that is its own caller.
            let isRepeated =
                kept.last?.frame == next.frame
                && (next.frame.role == .asyncCaller || next.frame.isUnknown)
            if !next.frame.isGlue && !isRepeated { kept.append(next) }
        }
    }
}

extension StackFrame {
    /// Makes a frame from a function's demangled symbol.
    init(symbol: String?, address: UInt) {
        let symbol = symbol.map(Self.withoutPartOfC)
        if let name = symbol.flatMap(FunctionName.init(demangled:)) {
            self.init(function: name.text, isOwn: !name.isLibrary)
        } else {
            let unknown = { Symbols.library(at: address).map { "? in \($0)" } ?? "?" }
            self.init(function: symbol ?? unknown(), isOwn: false, isSwift: false)
        }
    }

    /// Removes what C compilers add to the name of a part or a copy of a function: `sem_wait.constprop.0` becomes
    /// `sem_wait`.
    static func withoutPartOfC(_ symbol: String) -> String {
        symbol.wholeMatch(of: /([\w$]+)(\.(constprop|part|isra|cold|lto_priv|llvm|\d+))+/).map { String($0.1) }
            ?? symbol
    }
}
