/// The name of the call that blocks a thread, as a programmer would give it: `getaddrinfo`, not the `poll` inside it.
enum BlockingCall {
    /// - Parameter frames: The functions, innermost first, each with its library; `nil` for the program itself.
    static func name(_ frames: [(frame: StackFrame, library: String?)]) -> String? {
        // The outermost system function that is called by the innermost Swift function, directly or not.
        let calls = frames.prefix { !$0.frame.isSwift }.filter { $0.frame.function != "syscall" && !$0.frame.isUnknown }
        let found = calls.last { $0.library.map(isOfTheSystem) ?? isKnown(plain($0.frame.function)) } ?? calls.first
        if let found { return plain(found.frame.function) }
        // Swift's own locks enter the kernel without a function that has a name.
        return frames.first { $0.frame.isSwift && !$0.frame.isOwn }?.frame.function
    }

    /// Returns the name by which programs call a function: C libraries put underscores in front, and move slow code to
    /// separate functions.
    private static func plain(_ function: String) -> String {
        var name = function.drop { $0 == "_" }
        if name.hasPrefix("libc_") { name = name.dropFirst("libc_".count) }
        if name.hasPrefix("dispatch_"), name.hasSuffix("_slow") { name = name.dropLast("_slow".count) }
        return String(name)
    }

    private static func isOfTheSystem(_ library: String) -> Bool {
        ["libc.", "libpthread", "libdispatch", "libresolv", "libnss_", "ld-"].contains { library.hasPrefix($0) }
    }

    private static func isKnown(_ function: String) -> Bool {
        known.contains(function) || function.hasPrefix("dispatch_")
    }

    /// Blocking functions of the system's libraries, to recognize them in statically linked programs.
    private static let known: Set<String> = [
        "getaddrinfo", "getnameinfo", "gethostbyname", "gethostbyname_r", "res_query", "res_search", "usleep", "sleep",
        "nanosleep", "clock_nanosleep", "poll", "ppoll", "select", "pselect", "epoll_wait", "epoll_pwait", "pause",
        "sigwait", "sigtimedwait", "sigsuspend", "pthread_join", "pthread_mutex_lock", "pthread_mutex_timedlock",
        "pthread_cond_wait", "pthread_cond_timedwait", "pthread_rwlock_rdlock", "pthread_rwlock_wrlock",
        "pthread_barrier_wait", "pthread_once", "sem_wait", "sem_timedwait", "read",
        "readv", "pread", "preadv", "write", "writev", "pwrite", "pwritev", "recv", "recvfrom", "recvmsg", "send",
        "sendto",
        "sendmsg", "accept", "accept4", "connect", "fsync", "fdatasync", "sync", "syncfs", "msync", "flock", "lockf",
        "fcntl", "open", "openat", "close", "fopen", "fclose", "fread", "fwrite", "fflush", "unlink", "rename",
        "ftruncate",
        "fallocate", "sendfile", "wait", "waitpid", "wait4", "waitid", "system", "popen", "pclose", "dlopen",
        "getrandom",
    ]
}
