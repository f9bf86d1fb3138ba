"""Connections that come, have one byte echoed, and go: what accepting and closing takes a server."""

from .. import contenders, servers, summaries
from ..aims import Aim
from . import counts

NAME = "connections"
TITLE = "connections that come and go"
CONTENDERS = ["c", "off", "metrics", "callbacks", "nio"]
COUNTED = ["c", "off", "nio"]
AT_ONCE = [1, 50]


def seconds(size):
    return 12 if size == "quick" else 110


def measure(run):
    rounds = run.choose(quick=8, normal=48)
    chosen = contenders.named(*CONTENDERS)
    samples = []
    with servers.running(chosen) as running:
        for number in range(rounds):
            for at_once in AT_ONCE:
                for contender in chosen if number % 2 == 0 else reversed(chosen):
                    server = running[contender.name]
                    server.resume()
                    sample = _load(server, 500 if at_once == 1 else 2000, at_once)
                    server.pause()
                    samples.append({"server": contender.name, "round": number, **sample})
            run.step(0.9 * (number + 1) / rounds, f"round {number + 1} of {rounds}")
    number = run.choose(quick=300, normal=1000)
    calls = {contender.name: _calls(contender, number) for contender in contenders.named(*COUNTED)}
    return {"samples": samples, "calls": calls}


def _load(server, connections, at_once):
    measured = servers.generate_load(server, "connload", server.port, connections, at_once, server.process.pid)
    server.sent += measured["connections"]
    return measured


def _calls(contender, number):
    """System calls for a connection, which come one by one."""

    def serve(connections):
        def with_tool(wrapper):
            port = servers.free_port()
            server = servers.Server(contender.label, contender.echo_command(port), port, wrapper)
            try:
                _load(server, connections, 1)
            finally:
                server.end()

        return counts.calls_during(with_tool, contender.label)

    return counts.calls_for_each(serve(number), serve(3 * number), 2 * number)


def _values(data, at_once, name, key):
    return {
        sample["round"]: sample[key]
        for sample in data["samples"]
        if sample["server"] == name and sample["at_once"] == at_once
    }


def _ratio(data, at_once, name):
    return summaries.ratios(_values(data, at_once, name, "cpu_ns"), _values(data, at_once, "c", "cpu_ns"))


def _ways(data):
    return list(dict.fromkeys(sample["at_once"] for sample in data["samples"]))


def tables(data):
    labels = {contender.name: contender.label for contender in contenders.everyone()}
    lines = ["Each is accepted, echoes a byte, and is reset by its client.", ""]
    lines += ["| server | at once | connections/s | CPU µs/connection | of C | system calls for a connection |"]
    lines += ["|---|--:|--:|--:|--:|---|"]
    for at_once in _ways(data):
        for name in dict.fromkeys(sample["server"] for sample in data["samples"]):
            speed = summaries.summary(_values(data, at_once, name, "per_second").values())
            cpu = summaries.summary([each / 1000 for each in _values(data, at_once, name, "cpu_ns").values()])
            calls = data["calls"].get(name, {}) if at_once == 1 else {}
            cells = [
                labels.get(name, name),
                str(at_once),
                summaries.text(speed, ",.0f"),
                summaries.text(cpu, ".1f"),
                summaries.text(_ratio(data, at_once, name), ".2f"),
                ", ".join(f"{call} {count:.3g}" for call, count in calls.items()),
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def aims(data):
    more = sum(data["calls"]["off"].values()) - sum(data["calls"]["c"].values())
    return [
        Aim("system calls for a connection, more than C", more, 1.02, counted=True),
        *(
            Aim.of_ratio(f"CPU per connection, off / C, {at_once} at once", _ratio(data, at_once, "off"), 1.05)
            for at_once in _ways(data)
        ),
    ]
