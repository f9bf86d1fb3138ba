private actor Counter {
    private var count = 0
    func add() { count &+= 1 }
}

func measure(_ count: Int) async -> [(name: String, nanoseconds: Int)] {
    [
        ("yield", await time(count) { for _ in 0..<count { await Task.yield() } }),
        ("async let", await time(count) { for _ in 0..<count { async let child: Void = nothing(); await child } }),
        ("group child", await time(count) { await children(count) }),
        ("actor call", await time(count) { await calls(count) }),
        ("hop to MainActor", await time(count / 4) { for _ in 0..<count / 4 { await onMain() } }),
        ("sleep", await time(count / 4) { await sleeps(count / 4) }),
    ]
}

private func time(_ count: Int, _ body: () async -> Void) async -> Int {
    let start = ContinuousClock.now
    await body()
    return Int((ContinuousClock.now - start) / .nanoseconds(1)) / count
}

@inline(never)
private func nothing() async {}

@MainActor private func onMain() {}

private func children(_ count: Int) async {
    await withDiscardingTaskGroup { group in for _ in 0..<count { group.addTask { await nothing() } } }
}

private func calls(_ count: Int) async {
    let counter = Counter()
    for _ in 0..<count { await counter.add() }
}

/// Many at once, so that what counts is what a sleep costs, not how long it is.
private func sleeps(_ count: Int) async {
    await withDiscardingTaskGroup { group in
        for _ in 0..<count { group.addTask { try? await Task.sleep(for: .milliseconds(1)) } }
    }
}
