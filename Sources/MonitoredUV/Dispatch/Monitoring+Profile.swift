extension Monitoring {
    /// The time that a loop of SwiftNIO's has spent in each stack of functions during its long iterations, from samples:
    /// a line for each stack, of functions separated by semicolons, outermost first, and of microseconds. Flame graph
    /// tools read this form.
    ///
    /// Iterations past four milliseconds are sampled while they last, ever less often the longer they take, and at most
    /// a hundred times a second in all. The time of stacks beyond the first 1,024 is in the line `_OTHER`. Empty for loops of this library and threads of Swift's executors, whose
    /// dispatches have names of their own.
    public var foldedStacks: String { loop.watchdog.profile?.foldedStacks ?? "" }
}
