import Testing

@testable import MonitoredUV

struct NamingTests {
    /// Clients choose some of them, and they go to logs and terminals.
    @Test(arguments: [
        ("GET /a\u{1b}[2J", "GET /a_[2J"), ("a\nb\r\nc", "a_b__c"), ("tab\t", "tab_"), ("del\u{7f}", "del_"),
        ("c1\u{9b}31m", "c1_31m"), ("line\u{2028}", "line_"), ("\u{202e}evil", "_evil"),
        ("grüße – 日本 🙂", "grüße – 日本 🙂"),
    ])
    func controlCharacters_areReplaced(_ text: String, _ shown: String) {
        #expect(CallbackName(passing: text).text == shown)
        #expect(CallbackName(text).text == shown)
        let name = CallbackName(pinned: text)
        #expect(name.text == shown)
        name.release()
    }

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
        #expect(CallbackName("") == .unnamed)
    }

    @Test func namesOfMoreThan256Bytes_areCut_betweenCharacters() {
        let long = CallbackName(passing: String(repeating: "ä", count: 200)).text
        #expect(long == String(repeating: "ä", count: 128))
        #expect(CallbackName(passing: "x" + String(repeating: "ä", count: 200)).text.utf8.count == 255)
        #expect(CallbackName.cut("short") == "short")
    }

    @Test func passingNames_areForgotten_whenTheyWereNotAskedForLately() {
        let names = PassingNames()
        let kept = names.intern("asked for now and then")
        let first = names.intern("asked for once")
        let used = names.intern("used without being asked for")
        let pinned = names.pin("of a handle")
        for number in 0..<10 * PassingNames.capacity {
            if number % 1000 == 0 {
                _ = names.intern("asked for now and then")
                #expect(names.touch(used))
            }
            let name = names.intern("name \(number)")
            #expect(name.id >= UInt32(CallbackName.limit))
        }
        #expect(names.text(of: kept) == "asked for now and then")
        #expect(names.text(of: used) == "used without being asked for")
        #expect(names.text(of: pinned) == "of a handle")
        #expect(names.text(of: first) == nil)
        #expect(!names.touch(first))
        #expect(names.intern("asked for once") != first)
        let last = names.intern("name \(10 * PassingNames.capacity - 1)")
        #expect(names.text(of: last) == "name \(10 * PassingNames.capacity - 1)")
    }

    @Test func loopsThatAreOpen_haveDifferentNames() throws {
        let first = try UVEventLoop(name: "twin")
        let second = try UVEventLoop(name: "twin")
        let third = try UVEventLoop(name: "twin")
        #expect([first, second, third].map(\.name) == ["twin", "twin#2", "twin#3"])
        try second.close()
        let fourth = try UVEventLoop(name: "twin")
        #expect(fourth.name == "twin#2")
        for loop in [first, third, fourth] { try loop.close() }
        let groups = try (0..<2).map { _ in try UVEventLoopGroup(count: 2, name: "twins") }
        #expect(groups.map { $0.loops.map(\.name) } == [["twins-1", "twins-2"], ["twins-1#2", "twins-2#2"]])
        for group in groups { group.shutdown() }
    }

    @Test(arguments: [
        ("GET /users/42", "GET /users/_"),
        ("GET /users/42/orders/7?page=3", "GET /users/_/orders/_"),
        ("GET /a/550e8400-e29b-41d4-a716-446655440000/b", "GET /a/_/b"),
        ("GET /api/v2x10/facade", "GET /api/v_x_/facade"),
        ("GET /v2/users/7", "GET /v2/users/_"),
        ("GET /api/v1.1/list", "GET /api/v1.1/list"),
        ("GET /v12345/list", "GET /v_/list"),
        ("GET /v2 HTTP/1.1", "GET /v2 HTTP/1.1"),
        ("GET /users/7 HTTP/1.1", "GET /users/_ HTTP/1.1"),
        ("GET /blob/deadbeefcafe1", "GET /blob/_"),
        ("GET /session/gh0stIn7heShel1-xyz", "GET /session/_"),
        ("GET /img/photo12.png", "GET /img/photo_.png"),
        ("GET /t/abcdefghijklmnopqrstuvwxyzabcdefg/x", "GET /t/_/x"),
        ("GET /users/:id", "GET /users/:id"),
        ("GET /q?id=5 HTTP/1.1", "GET /q HTTP/1.1"),
        ("plain 42", "plain 42"),
        ("/", "/"),
        ("", ""),
    ])
    func mask_hidesDigitsOfPathSegments(_ name: String, _ masked: String) { #expect(PathMask.mask(name) == masked) }
}
