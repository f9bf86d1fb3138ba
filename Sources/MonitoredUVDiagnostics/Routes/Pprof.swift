/// Stalls as a profile for `pprof`: a message of Protocol Buffers, as `profile.proto` of that tool describes it.
enum Pprof {
    /// Returns a profile with two values for each stack: the number of stalls, and their time in nanoseconds.
    static func profile(of stalls: [StallRecord]) -> [UInt8] {
        var strings = Strings()
        var functions: [FrameRecord.Place: UInt64] = [:]
        var samples = Message()
        var places = Message()
        for stall in stalls where !stall.stack.isEmpty {
            let locations = stall.stack.map { frame -> UInt64 in
                let place = frame.place
                if let known = functions[place] { return known }
                let number = UInt64(functions.count + 1)
                functions[place] = number
                let name = strings.number(of: frame.function)
                // Function: id, name, system_name, filename.
                places.add(5, Message([(1, number), (2, name), (3, name), (4, strings.number(of: frame.file ?? ""))]))
                // Location: id, and a line: function_id, line.
                var location = Message([(1, number)])
                location.add(4, Message([(1, number), (2, UInt64(frame.line ?? 0))]))
                places.add(4, location)
                return number
            }
            // Sample: location_id, value, and a label: key, str.
            var sample = Message()
            sample.add(1, packed: locations)
            sample.add(2, packed: [1, UInt64(clamping: stall.duration)])
            sample.add(3, Message([(1, strings.number(of: "loop")), (2, strings.number(of: stall.loop))]))
            samples.add(2, sample)
        }
        var profile = Message()
        // ValueType: type, unit.
        profile.add(1, Message([(1, strings.number(of: "stalls")), (2, strings.number(of: "count"))]))
        profile.add(1, Message([(1, strings.number(of: "time")), (2, strings.number(of: "nanoseconds"))]))
        profile.append(samples)
        profile.append(places)
        for text in strings.all { profile.add(6, text) }
        return profile.bytes
    }

    /// The strings of a profile, which are numbered; the first is empty.
    private struct Strings {
        private(set) var all = [""]
        private var numbers: [String: UInt64] = ["": 0]

        mutating func number(of text: String) -> UInt64 {
            if let known = numbers[text] { return known }
            let number = UInt64(all.count)
            numbers[text] = number
            all.append(text)
            return number
        }
    }

    /// A message that is being written.
    private struct Message {
        private(set) var bytes: [UInt8] = []

        init() {}

        init(_ numbers: [(field: Int, value: UInt64)]) {
            for (field, value) in numbers {
                write(UInt64(field << 3))
                write(value)
            }
        }

        mutating func add(_ field: Int, _ message: Message) { add(field, message.bytes) }

        mutating func add(_ field: Int, _ text: String) { add(field, Array(text.utf8)) }

        mutating func add(_ field: Int, packed values: [UInt64]) {
            var list = Message()
            for value in values { list.write(value) }
            add(field, list.bytes)
        }

        /// Appends the fields of another message.
        mutating func append(_ other: Message) { bytes += other.bytes }

        private mutating func add(_ field: Int, _ contents: [UInt8]) {
            write(UInt64(field << 3 | 2))
            write(UInt64(contents.count))
            bytes += contents
        }

        private mutating func write(_ value: UInt64) {
            var value = value
            while value >= 0x80 {
                bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
                value >>= 7
            }
            bytes.append(UInt8(value))
        }
    }
}
