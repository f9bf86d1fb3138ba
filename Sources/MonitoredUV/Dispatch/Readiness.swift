/// When a dispatch became ready.
enum Readiness {
    /// At this instant, in this queue or at this timer.
    case exact(UInt64, LagSource)
    /// When the kernel had it for this handle or request, which the poll times bound.
    case io(UnsafeRawPointer)
    /// Hooks wait for nothing.
    case notApplicable
}
