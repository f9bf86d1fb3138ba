"""Many users who ask for something quick, and now and then for something that waits on timers."""

from .. import servers, summaries, tools
from ..aims import Aim
from ..contenders import Contender

NAME = "users"
TITLE = "many users: response times, monitored against not"


def seconds(size):
    return 12 if size == "quick" else 380


def _contenders():
    ours = (tools.swift_program("users"),)
    yield Contender("off", "MonitoredUV, off", ours)
    yield Contender("metrics", "MonitoredUV, metrics", ours, ("--level", "metrics"), counts=True)
    yield Contender("callbacks", "MonitoredUV, callbacks", ours, ("--level", "callbacks"), counts=True)
    if tools.has_uvloop():
        theirs = (tools.python(), str(tools.PEERS / "users_py.py"))
        yield Contender("uvloop", "uvloop", theirs)
        yield Contender("uvloop_monitored", "uvloop, monitored_ioloop", theirs, ("--monitor",), counts=True)


def measure(run):
    rounds, length = run.choose(quick=1, normal=12), run.choose(quick=1, normal=2)
    crowds = run.choose(quick=[300], normal=[300, 1000])
    chosen = list(_contenders())
    samples, done = [], 0
    with servers.running(chosen) as running:
        for number in range(rounds):
            for users in crowds:
                for contender in chosen if number % 2 == 0 else reversed(chosen):
                    server = running[contender.name]
                    server.resume()
                    samples.append({"server": contender.name, "round": number, **_load(server, users, length)})
                    server.pause()
                done += 1
                run.step(done / rounds / len(crowds), f"round {number + 1} of {rounds}, {users:,} users")
    return {"samples": samples}


def _load(server, users, length):
    measured = servers.generate_load(server, "usersload", server.port, users, length, server.process.pid)
    server.sent += measured["answers"]
    return measured


def _values(data, users, name, key):
    return {
        sample["round"]: key(sample) for sample in data["samples"] if sample["server"] == name and sample["users"] == users
    }


def tables(data):
    labels = {contender.name: contender.label for contender in _contenders()}
    lines = [
        "Each user waits for 0.1 to 0.3 s and asks; one request in five waits for five timers of 20 ms. Response times in",
        "milliseconds, medians of the rounds.",
    ]
    for users in dict.fromkeys(sample["users"] for sample in data["samples"]):
        lines += ["", f"### {users:,} users", ""]
        lines.append("| server | ping p50 | p90 | p99 | slow p50 | p90 | p99 | CPU µs/answer | of unmonitored |")
        lines.append("|---" + "|--:" * 8 + "|")
        for name in dict.fromkeys(sample["server"] for sample in data["samples"]):
            median = lambda key: summaries.summary(_values(data, users, name, key).values())["median"]  # noqa: E731, B023
            times = [
                f"{median(lambda sample: sample[kind][percent]) / 1000:.2f}"  # noqa: B023
                for kind in ("ping", "slow")
                for percent in ("50", "90", "99")
            ]
            ratio = _ratio(data, users, name)
            cpu = f"{median(lambda sample: sample['cpu_ns']) / 1000:.1f}"
            lines.append(f"| {labels.get(name, name)} | " + " | ".join([*times, cpu, summaries.text(ratio, ".2f")]) + " |")
    return lines


def _ratio(data, users, name):
    base = "uvloop" if name.startswith("uvloop") else "off"
    key = lambda sample: sample["cpu_ns"]  # noqa: E731
    return summaries.ratios(_values(data, users, name, key), _values(data, users, base, key))


def aims(data):
    crowds = dict.fromkeys(sample["users"] for sample in data["samples"])
    return [
        Aim.of_ratio(f"CPU per answer, {name} / off, {users:,} users", _ratio(data, users, name), 1.05, slack=2)
        for users in crowds
        for name in ("metrics", "callbacks")
    ]
