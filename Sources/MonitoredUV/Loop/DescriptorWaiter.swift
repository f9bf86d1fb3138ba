/// Something that pauses for want of a descriptor. Loop thread only.
protocol DescriptorWaiter: AnyObject {
    /// A handle of the loop has closed, which may have freed a descriptor.
    func tryAgain()
}

extension LoopCore {
    /// A handle has closed.
    @inline(__always)
    func descriptorMayBeFree() { if _slowPath(!descriptorWaiters.isEmpty) { tellDescriptorWaiters() } }

    @inline(never)
    private func tellDescriptorWaiters() { for waiter in descriptorWaiters { waiter.tryAgain() } }
}
