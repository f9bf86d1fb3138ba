import MonitoredUVPlatform

/// An object of each thread, which something else keeps alive.
struct ThreadLocal<Object: AnyObject>: Sendable {
    private let key: pthread_key_t

    init() {
        var key = pthread_key_t()
        let status = pthread_key_create(&key, nil)
        if status != 0 { fatalError("pthread_key_create failed with \(status)") }
        self.key = key
    }

    var value: Object? {
        get { pthread_getspecific(key).map { Unmanaged<Object>.fromOpaque($0).takeUnretainedValue() } }
        nonmutating set {
            let status = pthread_setspecific(key, newValue.map { Unmanaged.passUnretained($0).toOpaque() })
            if status != 0 { fatalError("pthread_setspecific failed with \(status)") }
        }
    }
}
