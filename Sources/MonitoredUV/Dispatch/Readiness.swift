/// The instant at which a dispatch became ready.
enum Readiness {
    /// At this instant, in this queue or at this timer.
    case exact(UInt64, LagSource)
    /// When the kernel had the event of this handle or request, an instant that the poll times bound.
    case io(UnsafeRawPointer)
    /// For hooks, which wait for nothing.
    case notApplicable
}
