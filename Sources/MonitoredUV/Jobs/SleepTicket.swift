/// The location of a task's sleep: the number of its timer's host, and the timer's slot there.
struct SleepTicket: Equatable {
    let host: UInt32
    let slot: UInt32

    init(host: UInt32, slot: UInt32) {
        self.host = host
        self.slot = slot
    }

    init(bits: UInt) { self.init(host: UInt32(bits >> 32), slot: UInt32(truncatingIfNeeded: bits)) }

    var bits: UInt { UInt(host) << 32 | UInt(slot) }
}
