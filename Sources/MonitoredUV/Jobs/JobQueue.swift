/// Jobs that wait for their loop's thread: first in, first out, linked through the jobs themselves.
struct JobQueue {
    private var first: UInt = 0
    private var last: Job?
    private(set) var count = 0

    var isEmpty: Bool {
        @inline(__always) get { first == 0 }
    }

    @inline(__always)
    mutating func append(_ job: Job) {
        job.next = 0
        if let last { last.next = job.address } else { first = job.address }
        last = job
        count &+= 1
    }

    /// The tasks that the jobs belong to; where the layout is known.
    var tasks: [UInt] {
        sequence(first: Job(address: first)) { $0.flatMap { Job(address: $0.next) } }.prefix { $0 != nil }
            .compactMap { job in
                switch job!.kind {
                case .task: job!.address
                case .resumption: job!.resumedTask?.address
                case .actor, .other: nil
                }
            }
    }

    @inline(__always)
    mutating func removeFirst() -> Job? {
        guard let job = Job(address: first) else { return nil }
        first = job.next
        if first == 0 { last = nil }
        count &-= 1
        return job
    }
}
