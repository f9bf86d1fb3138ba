import CMonitoredUV

/// The names of jobs: the name that the task was given, else the async function that the job resumes, else the type of
/// the actor that it runs. One for each loop; loop thread only.
///
/// Functions are looked up once, by their address; afterward a name costs one table lookup. If the runtime's jobs do
/// not have the known layout, all are named `Task`, even those of named tasks.
struct JobNames {
    private static let task = CallbackName("Task")
    private static let count = 512

    private enum Function {
        /// A function of the user's, with a readable name.
        case named(CallbackName)
        /// A library's function: the job is named after its caller or the function it was given, or else after this
        /// one.
        case library(CallbackName, Capture)
        /// Glue around a closure.
        case thunk(Capture)
    }

    /// The position, among a new task's captures, of the function that it will call.
    private enum Capture {
        case unsearched, none
        case word(Int)
    }

    /// The maximum number of words that a library's closure captures before the function that it calls.
    private static let captureCount = 12

    private var fast = [(address: UInt, function: Function)](
        repeating: (0, .thunk(.unsearched)),
        count: Self.count
    )
    private var functions: [UInt: Function] = [:]
    private var actors: [UInt: CallbackName] = [:]
    private var taskNames = [(text: UInt, id: UInt32, name: CallbackName)](
        repeating: (0, 0, .unnamed),
        count: Self.count
    )

    /// The program's functions that tasks of libraries call, for jobs in which no other function is the program's own.
    private var given = [(task: UInt32, name: CallbackName)](repeating: (0, .unnamed), count: Self.count)

    /// Whether the last name had to be looked up, which takes time.
    private var wasLookedUp = false

    /// Returns the name of a job; `nil` if it only wakes a task from `Task.sleep`. The job must not have run yet.
    ///
    /// - Parameter onLookup: Called if the name had to be looked up, which takes time.
    @inline(__always)
    mutating func name(of job: Job, onLookup: () -> Void) -> CallbackName? {
        wasLookedUp = false
        defer { if _slowPath(wasLookedUp) { onLookup() } }
        return name(of: job)
    }

    private mutating func name(of job: Job) -> CallbackName? {
        guard JobLayout.isKnown else { return Self.task }
        switch job.kind {
        case .task: return name(ofTask: job)
        case .resumption: return job.resumedTask.map { name(ofTask: $0) } ?? Self.task
        case .actor: return actor(of: job)
        case .other: return Self.task
        }
    }

    private mutating func name(ofTask job: Job) -> CallbackName? {
        TaskNames.name(of: job.id) ?? ownName(of: job) ?? function(of: job)
    }

    /// Returns whether the job only wakes a task from `Task.sleep`: a new task, whose closure is Swift's own.
    static func isWaking(_ job: Job) -> Bool {
        guard JobLayout.isKnown, job.kind == .task, muv_task_is_new(job.pointer) else {
            return false
        }
        return Symbols.isInRuntime(muv_task_entry(job.pointer))
    }

    /// Returns the name that the task was created with.
    private mutating func ownName(of job: Job) -> CallbackName? {
        guard let text = job.ownName else { return nil }
        let slot = Int(job.id) & (Self.count - 1)
        let address = UInt(bitPattern: text)
        let known = taskNames[slot]
        if known.text == address && known.id == job.id && PassingNames.shared.touch(known.name) { return known.name }
        wasLookedUp = true
        taskNames[slot] = (address, job.id, CallbackName(passing: String(cString: text)))
        return taskNames[slot].name
    }

    private mutating func function(of job: Job) -> CallbackName? {
        let pointer = job.pointer
        if muv_task_is_new(pointer) { return closure(of: job) }
        var library: CallbackName?
        switch function(at: pointer.pointee.resume) {
        case .named(let name): return name
        case .library(let name, _): library = name
        case .thunk: break
        }
        // A frame begins with its caller's frame, followed by the function that resumes it.
        var frame = UnsafeRawPointer(pointer.pointee.context)
        for _ in 0..<32 {
            guard let current = frame else { break }
            let caller = current.load(as: UnsafeRawPointer?.self)
            let resume = current.load(fromByteOffset: 8, as: UInt.self)
            if caller == nil || resume == 0 { break }
            switch function(at: resume) {
            case .named(let name): return name
            case .library(let name, _): library = name  // the outermost says most
            case .thunk: break
            }
            frame = caller
        }
        let given = given[Int(job.id) & (Self.count - 1)]
        return given.task == job.id ? given.name : library ?? Self.task
    }

    /// Returns the name for a task that has not begun: that of its closure, or of the function that the closure will
    /// call.
    private mutating func closure(of job: Job) -> CallbackName? {
        let entry = muv_task_entry(job.pointer)
        switch function(at: entry) {
        case .named(let name): return name
        case .library(let name, let capture):
            if Self.isWaking(job) { return nil }
            let (given, found) = given(to: job, capture)
            if let found { remember(.library(name, found), at: entry) }
            guard case .named(let given) = given else { return name }
            self.given[Int(job.id) & (Self.count - 1)] = (job.id, given)
            return given
        case .thunk(let capture):
            let (given, found) = given(to: job, capture)
            if let found { remember(.thunk(found), at: entry) }
            switch given {
            case .named(let name), .library(let name, _): return name
            case .thunk, nil: return Self.task
            }
        }
    }

    /// Returns the function that a new task's closure was given, and where it was found, if that was not known.
    private mutating func given(to job: Job, _ capture: Capture) -> (Function?, Capture?) {
        switch capture {
        case .none: return (nil, nil)
        case .word(let index):
            let word = muv_task_capture(job.pointer, Int32(index))
            return (function(behind: word, muv_task_capture(job.pointer, Int32(index + 1))), nil)
        case .unsearched:
            let words = captures(at: muv_task_captures(job.pointer)) + [0]
            var library: (Function?, Capture) = (nil, .none)
            for index in words.indices.dropLast() {
                switch function(behind: words[index], words[index + 1]) {
                case .named(let name): return (.named(name), .word(index))
                case .library(let name, _): if library.0 == nil { library = (.library(name, .none), .word(index)) }
                case .thunk, nil: break
                }
            }
            return library
        }
    }

    /// Returns the words that a closure captured, and perhaps some that follow them.
    private func captures(at address: UInt) -> [UInt] {
        if address == 0 { return [] }
        return Array(unsafeUninitializedCapacity: Self.captureCount) { words, count in
            let size = Self.captureCount * MemoryLayout<UInt>.size
            count = muv_copy_memory(address, words.baseAddress, size) / MemoryLayout<UInt>.size
        }
    }

    /// Returns the async function whose pointer is at `address`; for glue and a library's closures, the function that
    /// they will call, which their own `context` holds. `nil` if there is none.
    private mutating func function(behind address: UInt, _ context: UInt, depth: Int = 0) -> Function? {
        guard let found = function(behind: address) else { return nil }
        if case .named = found { return found }
        guard context != 0, depth < 4 else { return found }
        var library: Function?
        if case .library = found { library = found }
        let words = captures(at: context &+ Self.objectHeader).prefix(4) + [0]
        for index in words.indices.dropLast() {
            switch function(behind: words[index], words[index + 1], depth: depth + 1) {
            case .named(let name): return .named(name)
            case .library(let name, _): library = library ?? .library(name, .none)
            case .thunk, nil: break
            }
        }
        return library ?? found
    }

    private static let objectHeader: UInt = 16

    private mutating func function(behind address: UInt) -> Function? {
        if let known = recall(address) { return known }
        wasLookedUp = true
        guard let function = Symbols.function(ofAsyncFunctionPointerAt: address) else { return nil }
        let found = self.function(at: function)
        remember(found, at: address)
        return found
    }

    private mutating func function(at address: UInt) -> Function {
        if let known = recall(address) { return known }
        wasLookedUp = true
        let found: Function
        if let text = Symbols.demangledName(at: address).flatMap(FunctionName.init(demangled:)) {
            let name = CallbackName(text.text)
            found = text.isLibrary ? .library(name, .unsearched) : .named(name)
        } else {
            found = .thunk(.unsearched)
        }
        remember(found, at: address)
        return found
    }

    @inline(__always)
    private func recall(_ address: UInt) -> Function? {
        let slot = Int(address &>> 2) & (Self.count &- 1)
        return fast[slot].address == address ? fast[slot].function : functions[address]
    }

    private mutating func remember(_ function: Function, at address: UInt) {
        functions[address] = function
        fast[Int(address &>> 2) & (Self.count &- 1)] = (address, function)
    }

    private mutating func actor(of job: Job) -> CallbackName {
        guard let actor = muv_job_actor_of(job.pointer) else { return Self.task }
        let type = actor.load(as: UInt.self)
        if let known = actors[type] { return known }
        wasLookedUp = true
        let object = Unmanaged<AnyObject>.fromOpaque(actor).takeUnretainedValue()
        let name = CallbackName("actor \(FunctionName.withoutContexts(String(reflecting: Swift.type(of: object))))")
        actors[type] = name
        return name
    }
}
