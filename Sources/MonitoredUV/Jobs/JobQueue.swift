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

    @inline(__always)
    mutating func removeFirst() -> Job? {
        guard let job = Job(address: first) else { return nil }
        first = job.next
        if first == 0 { last = nil }
        count &-= 1
        return job
    }
}
