internal import CMonitoredUV

/// The stack of a loop's thread at one instant: addresses, until somebody wants to know the functions.
struct StackSample: Sendable {
    /// Innermost first: where the thread was, then where each call returns to.
    let counters: [UInt]
    /// Where the async callers of the innermost async function go on.
    let resumePoints: [UInt]

    private static let deepest: Int32 = 128
    /// The function of the runtime's that calls the parts of tasks.
    private static let jobRunner = "runJobInEstablishedExecutorContext"
    private static let loopRunner = "uv_run"

    /// Which of the loops that run on the thread is meant: the outermost is 0.
    private let depth: Int

    /// - Parameter stack: What was captured.
    init(_ stack: UnsafeMutablePointer<muv_stack>, depth: Int = 0) {
        self.depth = depth
        let deepest = Int(Self.deepest)
        var bases: [UInt] = []
        counters = Array(unsafeUninitializedCapacity: deepest) { counters, count in
            bases = Array(unsafeUninitializedCapacity: deepest) { bases, baseCount in
                count = Int(muv_stack_unwind(stack, counters.baseAddress, bases.baseAddress, Self.deepest))
                baseCount = count
            }
        }
        resumePoints = Self.asyncCallers(counters, bases, stack)
    }

    /// A frame of an async function keeps the function's context right below its frame pointer. Each context begins with
    /// its caller's, and with where that goes on.
    private static func asyncCallers(
        _ counters: [UInt],
        _ bases: [UInt],
        _ stack: UnsafeMutablePointer<muv_stack>
    ) -> [UInt] {
        // The one that the runtime has called to go on.
        let runner = counters.dropFirst().firstIndex {
            Symbols.name(at: $0 - 1, contains: jobRunner) || Symbols.name(at: $0 - 1, contains: loopRunner)
        }
        guard let runner, Symbols.name(at: counters[runner] - 1, contains: jobRunner) else { return [] }
        let frame = runner - 1
        guard Symbols.isAsync(counters[frame] - (frame == 0 ? 0 : 1)) else {
            return []
        }
        var context: UInt = 0
        guard bases[frame] > 8, muv_stack_read(stack, bases[frame] - 8, &context) else { return [] }
        var found: [UInt] = []
        while found.count < 32 {
            var words: (UInt, UInt) = (0, 0)
            let isRead = withUnsafeMutableBytes(of: &words) { muv_copy_memory(context, $0.baseAddress, 16) == 16 }
            guard isRead, words.0 != 0, Symbols.isAsync(words.1) else { break }
            found.append(words.1)
            context = words.0
        }
        return found
    }

    /// The functions, innermost first, up to the dispatch. With files and lines it takes milliseconds, of a program that
    /// was built for debugging hundreds of them.
    func frames(withLocations: Bool) -> [StackFrame] {
        let frames = (withLocations ? SourceLocations.frames(counters, resumePoints) : nil) ?? namedFrames()
        // What runs the loop, and what brought it to the program's code, is of no interest.
        let callers = frames.firstIndex { $0.role == .asyncCaller } ?? frames.endIndex
        let isEntry = { (frame: StackFrame) in
            frame.function == Self.loopRunner || frame.function.contains(Self.jobRunner)
        }
        // Of loops that run in callbacks of others, their own frames are of interest.
        let runs = frames[..<callers].indices.filter { frames[$0].function == Self.loopRunner }
        let inner = runs.dropLast(depth + 1).last.map { $0 + 1 } ?? frames.startIndex
        guard let entry = frames[inner..<callers].firstIndex(where: isEntry) else { return frames }
        let last = frames[..<entry].lastIndex { $0.isOwn }
        return (frames[...(last ?? entry)] + frames[callers...]).reduce(into: []) { kept, frame in
            // A library without names says so once, and so does a closure that is its own caller.
            let isRepeated = kept.last == frame && (frame.role == .asyncCaller || frame.function.hasPrefix("?"))
            if !frame.isGlue && !isRepeated { kept.append(frame) }
        }
    }

    /// From the symbol tables alone.
    private func namedFrames() -> [StackFrame] {
        counters.enumerated().map { index, counter in
            StackFrame(symbol: Symbols.demangledName(at: counter - (index == 0 ? 0 : 1)), address: counter)
        }
            + resumePoints.map {
                StackFrame(symbol: Symbols.demangledName(at: $0), address: $0, role: .asyncCaller)
            }
    }
}

extension StackFrame {
    /// A function as the symbol table has it, demangled.
    init(symbol: String?, address: UInt, file: String? = nil, line: Int? = nil, role: Role = .call) {
        guard let symbol else {
            self.init(
                function: Symbols.library(at: address).map { "? in \($0)" } ?? "?",
                file: file,
                line: line,
                role: role,
                isOwn: false
            )
            return
        }
        if let name = FunctionName(demangled: symbol) {
            self.init(function: name.text, file: file, line: line, role: role, isOwn: !name.isLibrary)
        } else {
            self.init(function: symbol, file: file, line: line, role: role, isOwn: false)
        }
    }
}
