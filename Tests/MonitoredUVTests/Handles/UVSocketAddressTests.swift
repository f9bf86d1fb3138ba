import Testing

@testable import MonitoredUV

struct UVSocketAddressTests {
    @Test(arguments: [
        ("127.0.0.1", 80, "127.0.0.1:80"), ("::1", 65_535, "[::1]:65535"), ("0.0.0.0", 0, "0.0.0.0:0"),
        ("2001:db8::7", 443, "[2001:db8::7]:443"),
    ])
    func text_isReadAndWritten(_ host: String, _ port: Int, _ text: String) throws {
        let address = try UVSocketAddress(host, port: port)
        #expect(address.host == host)
        #expect(address.port == port)
        #expect("\(address)" == text)
        #expect(address.isIPv6 == host.contains(":"))
    }

    @Test(arguments: ["localhost", "", "1.2.3", "256.0.0.1", "1.2.3.4.5", "::g", "127.0.0.1:80", "127.0.0.1\0.example"])
    func text_thatIsNoAddress_isRefusedByName(_ host: String) {
        let error = #expect(throws: UVError.self) { try UVSocketAddress(host, port: 80) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.detail?.contains("'\(host)'") == true)
    }

    @Test(arguments: [-1, 65_536, Int.max, Int.min])
    func port_outOfRange_isRefusedByNumber(_ port: Int) {
        let error = #expect(throws: UVError.self) { try UVSocketAddress("127.0.0.1", port: port) }
        #expect(error?.detail?.contains("\(port)") == true)
    }

    @Test func equality_comparesHostAndPort() throws {
        let address = try UVSocketAddress("10.0.0.1", port: 1)
        try #expect(Set([address, UVSocketAddress("10.0.0.1", port: 1)]).count == 1)
        try #expect(address != UVSocketAddress("10.0.0.1", port: 2))
        try #expect(address != UVSocketAddress("10.0.0.2", port: 1))
        try #expect(UVSocketAddress("::", port: 1) != UVSocketAddress("0.0.0.0", port: 1))
    }
}
