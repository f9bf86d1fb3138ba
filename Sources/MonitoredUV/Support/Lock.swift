import MonitoredUVPlatform

/// A value behind a POSIX mutex.
///
/// `Synchronization.Mutex` is not used because Thread Sanitizer does not see its synchronization on Linux, and would
/// report this library in every program that is tested with it.
///
/// `@unchecked Sendable`: the value is accessed only under the mutex.
package final class Lock<Value: ~Copyable>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private var value: Value

    package init(_ value: consuming sending Value) {
        self.value = value
        expectSuccess(pthread_mutex_init(mutex, nil))
    }

    deinit {
        expectSuccess(pthread_mutex_destroy(mutex))
        mutex.deallocate()
    }

    /// Calls `body` under the lock. `body` must not take this lock again.
    package func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        expectSuccess(pthread_mutex_lock(mutex))
        defer { expectSuccess(pthread_mutex_unlock(mutex)) }
        return body(&value)
    }

    private func expectSuccess(_ status: Int32) { if status != 0 { bug("a mutex failed with \(status)") } }
}
