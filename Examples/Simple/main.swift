// Waiting with a timer leaves the loop to others; sleeping keeps it from them. The monitor tells them apart.
import Foundation
import MonitoredUV

let limit = Duration.milliseconds(100)

let loop = try UVEventLoop { state in
    if state.callbackWallTime > limit {
        print("warning: \(state.callbackPrettyName) blocked the loop for \(state.callbackWallTime)")
    }
    if state.loopLag > limit {
        print("warning: \(state.callbackPrettyName) waited \(state.loopLag) for the loop")
    }
}

/// Not blocking: three of these take one second together.
func waitOnTheLoop(_ number: Int) {
    print("timer \(number) starts")
    loop.callLater(.seconds(1)) { print("timer \(number) is done") }
}

/// Blocking: three of these take three times as long, and everything else waits.
func sleepOnTheLoop(_ number: Int) {
    loop.callSoon {
        print("sleep \(number) starts")
        usleep(300_000)
        print("sleep \(number) is done")
    }
}

print("Without blocking:")
for number in 1...3 { waitOnTheLoop(number) }
try loop.run()

print("With blocking:")
waitOnTheLoop(4)
for number in 1...3 { sleepOnTheLoop(number) }
try loop.run()
try loop.close()
