internal import CMonitoredUV

/// What the monitor calls a job: the name that its task was given, else the async function that it resumes, else the
/// type of the actor that it runs. One for each loop; loop thread only.
///
/// Functions are looked up once, by their address; afterwards a name costs one look into a table. Where the runtime's
/// jobs have another layout than the known one, all are called `Task`.
struct JobNames {
    private static let task = CallbackName("Task")
    private static let count = 512

    private enum Function {
        /// The user's: a name for people.
        case named(CallbackName)
        /// Swift's or this library's: the caller is asked. The name is for when nobody else is there.
        case library(CallbackName)
        /// Glue around a closure, which is in this word of the captures.
        case thunk(capture: Int)
    }

    /// It was not looked for yet; or it was, and not found.
    private static let unsearchedCapture = -1
    private static let unknownCapture = -2

    private var fast = [(address: UInt, function: Function)](
        repeating: (0, .thunk(capture: Self.unsearchedCapture)),
        count: Self.count
    )
    private var functions: [UInt: Function] = [:]
    private var actors: [UInt: CallbackName] = [:]
    private var taskNames = [(text: UInt, id: UInt32, name: CallbackName)](
        repeating: (0, 0, .none),
        count: Self.count
    )

    /// Whether the last name had to be looked up, which takes its time.
    private(set) var wasLookedUp = false

    /// `nil` for a job that only wakes a task from `Task.sleep`. The job must not have run yet.
    mutating func name(of job: Job) -> CallbackName? {
        wasLookedUp = false
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

    /// Whether the job only wakes a task from `Task.sleep`: a new task, whose closure is Swift's own.
    static func isWaking(_ job: Job) -> Bool {
        guard JobLayout.isKnown, job.kind == .task, muv_task_is_new(job.pointer) else {
            return false
        }
        return Symbols.isInRuntime(muv_task_entry(job.pointer))
    }

    /// The name that the task was made with.
    private mutating func ownName(of job: Job) -> CallbackName? {
        guard let text = job.ownName else { return nil }
        let slot = Int(job.id) & (Self.count - 1)
        let address = UInt(bitPattern: text)
        if taskNames[slot].text == address && taskNames[slot].id == job.id { return taskNames[slot].name }
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
        case .library(let name): library = name
        case .thunk: break
        }
        // A frame begins with its caller's frame, and what resumes that.
        var frame = UnsafeRawPointer(pointer.pointee.context)
        for _ in 0..<32 {
            guard let current = frame else { break }
            let caller = current.load(as: UnsafeRawPointer?.self)
            let resume = current.load(fromByteOffset: 8, as: UInt.self)
            if caller == nil || resume == 0 { break }
            switch function(at: resume) {
            case .named(let name): return name
            case .library(let name): library = name  // the outermost says most
            case .thunk: break
            }
            frame = caller
        }
        return library ?? Self.task
    }

    /// A task that has not begun: the closure that it was made with.
    private mutating func closure(of job: Job) -> CallbackName? {
        let entry = muv_task_entry(job.pointer)
        switch function(at: entry) {
        case .named(let name): return name
        case .library(let name): return Self.isWaking(job) ? nil : name
        case .thunk(let capture):
            if capture >= 0 {
                let word = muv_task_capture(job.pointer, Int32(capture))
                switch function(behind: word) {
                case .named(let name), .library(let name): return name
                case .thunk: break
                }
            } else if capture != Self.unknownCapture, let found = findCapture(of: job, entry) {
                return found
            }
            return Self.task
        }
    }

    /// A thunk holds the function that it wraps behind the type metadata that it needs, if any.
    private mutating func findCapture(of job: Job, _ entry: UInt) -> CallbackName? {
        for capture in 0..<3 {
            let word = muv_task_capture(job.pointer, Int32(capture))
            if word == 0 { break }
            switch function(behind: word) {
            case .named(let name), .library(let name):
                remember(.thunk(capture: capture), at: entry)
                return name
            case .thunk: continue
            }
        }
        remember(.thunk(capture: Self.unknownCapture), at: entry)
        return nil
    }

    /// The async function whose pointer is at `address`.
    private mutating func function(behind address: UInt) -> Function {
        if let known = recall(address) { return known }
        wasLookedUp = true
        guard let function = Symbols.function(ofAsyncFunctionPointerAt: address) else {
            return .thunk(capture: Self.unsearchedCapture)
        }
        let found = self.function(at: function)
        remember(found, at: address)
        return found
    }

    private mutating func function(at address: UInt) -> Function {
        if let known = recall(address) { return known }
        wasLookedUp = true
        let found: Function
        if let text = Symbols.demangledName(at: address).flatMap(FunctionName.init(demangled:)) {
            found = text.isLibrary ? .library(CallbackName(text.text)) : .named(CallbackName(text.text))
        } else {
            found = .thunk(capture: Self.unsearchedCapture)
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
