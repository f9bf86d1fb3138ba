import Foundation

/// What the two C libraries spell differently.
#if canImport(Darwin)
    let streamSocketType = SOCK_STREAM
    private let descriptorLimit = RLIMIT_NOFILE
#else
    let streamSocketType = Int32(SOCK_STREAM.rawValue)
    private let descriptorLimit = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
#endif

/// Changes how many descriptors this process may have; `false` if the system refuses.
func setDescriptorLimit(_ change: (inout rlimit) -> Void) -> Bool {
    var limit = rlimit()
    guard getrlimit(descriptorLimit, &limit) == 0 else { return false }
    change(&limit)
    return setrlimit(descriptorLimit, &limit) == 0
}

/// The name that debuggers show of this thread, where it is the one the kernel keeps.
func currentThreadName() -> String {
    let file = (try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)) ?? ""
    return file.trimmingCharacters(in: .newlines)
}
