import Testing

@testable import MonitoredUV

struct NamingTests {
    @Test func callSite_namesFileLineAndFunction() {
        #expect(CallSite("Shop/Server.swift", 42, "accept(_:)").text == "Server.swift:42 accept(_:)")
    }

    @Test func callSite_isTheExplicitName_whenThereIsOne() {
        #expect(CallSite(named: "flush cache").text == "flush cache")
    }

    @Test func siteNames_tellApartMoreSitesThanTheFastTableHolds() {
        var names = CallSiteNames()
        for _ in 0..<2 {
            for line in 1...500 as ClosedRange<UInt> {
                let name = names.name(of: CallSite("Shop/Many.swift", line, "f()"))
                #expect(name.text == "Many.swift:\(line) f()")
            }
        }
    }

    @Test func name_isInternedOnce() {
        #expect(CallbackName("interned twice") == CallbackName("interned twice"))
        #expect(CallbackName("interned twice").text == "interned twice")
        #expect(CallbackName("") == .none)
    }

    @Test(arguments: [
        ("GET /users/42", "GET /users/_"),
        ("GET /users/42/orders/7?page=3", "GET /users/_/orders/_"),
        ("GET /a/550e8400-e29b-41d4-a716-446655440000/b", "GET /a/_/b"),
        ("GET /api/v2x10/facade", "GET /api/v_x_/facade"),
        ("GET /q?id=5 HTTP/1.1", "GET /q HTTP/1.1"),
        ("plain 42", "plain 42"),
        ("/", "/"),
        ("", ""),
    ])
    func mask_hidesDigitsOfPathSegments(_ name: String, _ masked: String) { #expect(PathMask.mask(name) == masked) }
}
