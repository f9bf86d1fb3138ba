/// Tells where a task sleeps: the number of the host of its timer, and the timer's place there.
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
