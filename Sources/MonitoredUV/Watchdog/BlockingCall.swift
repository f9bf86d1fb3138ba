/// Which call a thread waits in, as a programmer would say: `getaddrinfo`, and not the `poll` that it comes to.
enum BlockingCall {
    /// - Parameter frames: The functions, innermost first, each with its library; `nil` for the program itself.
    static func name(_ frames: [(frame: StackFrame, library: String?)]) -> String? {
        // Below the first function of Swift's, the outermost of the system's.
        let calls = frames.prefix { !$0.frame.isSwift }
        let found = calls.last { call in call.library.map(isOfTheSystem) ?? known.contains(plain(call.frame.function)) }
        if let found, plain(found.frame.function) != "syscall", !found.frame.function.hasPrefix("?") {
            return plain(found.frame.function)
        }
        if let name = calls.first.map({ plain($0.frame.function) }), name != "syscall", !name.hasPrefix("?") {
            return name
        }
        // Swift's own locks go to the kernel without a function that has a name.
        return frames.first { $0.frame.isSwift && !$0.frame.isOwn }?.frame.function
    }

    /// Without the underscores that C libraries put in front of what programs call by another name.
    private static func plain(_ function: String) -> String {
        let name = function.drop { $0 == "_" }
        return String(name.hasPrefix("libc_") ? name.dropFirst("libc_".count) : name)
    }

    private static func isOfTheSystem(_ library: String) -> Bool {
        ["libc.", "libpthread", "libdispatch", "libresolv", "libnss_", "ld-"].contains { library.hasPrefix($0) }
    }

    /// What programs call of the system's libraries to wait, for those that are linked into the program.
    private static let known: Set<String> = [
        "getaddrinfo", "getnameinfo", "gethostbyname", "gethostbyname_r", "res_query", "res_search", "usleep", "sleep",
        "nanosleep", "clock_nanosleep", "poll", "ppoll", "select", "pselect", "epoll_wait", "epoll_pwait", "pause",
        "sigwait", "sigtimedwait", "sigsuspend", "pthread_join", "pthread_mutex_lock", "pthread_mutex_timedlock",
        "pthread_cond_wait", "pthread_cond_timedwait", "pthread_rwlock_rdlock", "pthread_rwlock_wrlock",
        "pthread_barrier_wait", "pthread_once", "sem_wait", "sem_timedwait", "dispatch_semaphore_wait",
        "dispatch_group_wait", "dispatch_sync", "dispatch_sync_f", "dispatch_barrier_sync", "dispatch_once_f", "read",
        "readv", "pread", "preadv", "write", "writev", "pwrite", "pwritev", "recv", "recvfrom", "recvmsg", "send",
        "sendto",
        "sendmsg", "accept", "accept4", "connect", "fsync", "fdatasync", "sync", "syncfs", "msync", "flock", "lockf",
        "fcntl", "open", "openat", "close", "fopen", "fclose", "fread", "fwrite", "fflush", "unlink", "rename",
        "ftruncate",
        "fallocate", "sendfile", "wait", "waitpid", "wait4", "waitid", "system", "popen", "pclose", "dlopen",
        "getrandom",
    ]
}
