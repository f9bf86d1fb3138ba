import CLibUV
import CMonitoredUV
import Synchronization

/// Runs `DispatchQueue.main`, and `MainActor` if it uses that queue, on a loop that occupies the main thread. Otherwise
/// nothing would run them, and anything waiting for them would wait forever.
///
/// The pump does not keep `run` alive.
final class MainQueuePump {
    private let raw = UnsafeMutablePointer<uv_poll_t>.allocate(capacity: 1)
    private var isActive = false
    private static let name = CallbackName("DispatchQueue.main")

    static var isMainThread: Bool { muv_is_main_thread() }

    /// Whether the main queue can be run by code other than libdispatch on this system.
    static var isAvailable: Bool { muv_can_run_main_queue() }

    /// Whether this is a block of the main queue that `dispatchMain` runs on another thread.
    static var isInMainQueueElsewhere: Bool { muv_is_in_main_queue() && !isMainThread }

    /// Makes libdispatch create the main queue's descriptor. After that, pumps can be created.
    ///
    /// - Throws: ``UVError`` if the process is out of descriptors.
    static func prepare() throws(UVError) {
        if !isAvailable || isPrepared.load(ordering: .relaxed) { return }
        do throws(UVError) { try Descriptor.requireFree(1, for: "eventfd") } catch {
            throw error.about("none is left for DispatchQueue.main, which a loop on the main thread runs")
        }
        _ = muv_main_queue_descriptor()
        isPrepared.store(true, ordering: .relaxed)
    }

    private static let isPrepared = Atomic<Bool>(false)

    /// Creates a pump; `nil` on systems where the main queue cannot be run, and before ``prepare()``.
    init?(_ core: LoopCore) {
        guard Self.isPrepared.load(ordering: .relaxed) else {
            raw.deallocate()
            return nil
        }
        let descriptor = muv_main_queue_descriptor()
        UVError.require(uv_poll_init(core.uv, raw, descriptor), "uv_poll_init")
        raw.pointee.data = Unmanaged.passUnretained(core).toOpaque()
        uv_unref(raw.handle)
    }

    func start() {
        isActive = true
        let status = uv_poll_start(raw, Int32(UV_READABLE.rawValue)) { raw, _, _ in MainQueuePump.ready(raw) }
        UVError.require(status, "uv_poll_start")
    }

    /// Stops the pump at the end of a run, so that a later run on another thread has none.
    func stop() {
        if isActive { UVError.require(uv_poll_stop(raw), "uv_poll_stop") }
        isActive = false
    }

    func close() { uv_close(raw.handle) { UnsafeMutableRawPointer($0!).deallocate() } }

    private static func ready(_ raw: UnsafeMutablePointer<uv_poll_t>?) {
        withCore(of: raw) { core in
            core.dispatch(.mainQueue, name, .io(raw!)) { muv_main_queue_drain() }
        }
    }
}
