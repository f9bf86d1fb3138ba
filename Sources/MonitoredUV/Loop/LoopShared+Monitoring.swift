import CLibUV

extension LoopShared: MonitoredLoop {
    var remoteCount: Int { remote.count }

    var wakeupCount: Int { wakeUp.count }

    func applySettingsSoon() {
        guard let core = CurrentLoop.core(of: self) else {
            wakeUp.send()
            return
        }
        core.recorder.applySettings()
        core.recorder.showUnmonitoredDispatch()
    }

    static func handleName(_ type: Int) -> String {
        uv_handle_type_name(uv_handle_type(UInt32(type))).map { String(cString: $0) } ?? "handle"
    }

    static func requestName(_ type: Int) -> String {
        uv_req_type_name(uv_req_type(UInt32(type))).map { String(cString: $0) } ?? "request"
    }
}
