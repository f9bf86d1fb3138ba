"""Echo servers: messages a second, latency, and the processor time that a message takes the server."""

from .. import contenders, servers, summaries
from ..aims import Aim

NAME = "echo"
TITLE = "TCP echo"
CONTENDERS = ["c", "off", "metrics", "callbacks", "nio", "uvloop", "node", "node_monitored"]
#: Bytes and connections; those that the aims are about come first.
JUDGED = [(1024, 10), (1024, 200)]
OTHERS = [(10, 10), (10, 200), (10, 2000), (1024, 2000), (102_400, 10), (102_400, 200), (102_400, 2000)]


def seconds(size):
    return 30 if size == "quick" else 560


def measure(run):
    if run.size == "quick":
        return interleave(run, CONTENDERS, JUDGED[:1], 8)
    # Apart, because memory that large messages took would be there for the small ones.
    judged, others = interleave(run, CONTENDERS, JUDGED, 64), interleave(run, CONTENDERS, OTHERS, 8, 2)
    return {"samples": judged["samples"] + others["samples"], "seen": judged["seen"]}


def interleave(run, names, cells, rounds, longer=1):
    """All of them in turn, forwards and backwards, each for so short a time that the machine is the same for all."""
    chosen = contenders.named(*names)
    samples = []
    with servers.running(chosen) as running:
        for number in range(rounds):
            for size, connections in cells:
                # Before it is counted, every connection has had a message.
                times = longer * (6 if size * connections > 100_000_000 else 3 if size * connections > 10_000_000 else 1)
                for contender in chosen if number % 2 == 0 else reversed(chosen):
                    server = running[contender.name]
                    server.resume()
                    result = servers.load(server, connections, size, "-t", 0.15 * times, "-w", 0.05 * times)
                    server.pause()
                    samples.append({"server": contender.name, "round": number, **result})
            if number % 8 == 7:
                run.step((number + 1) / rounds, f"round {number + 1} of {rounds}")
    return {"samples": samples, "seen": running.seen}


def cells_of(data):
    return list(dict.fromkeys((sample["size"], sample["conns"]) for sample in data["samples"]))


def values(data, cell, name, key):
    """By round."""
    return {
        sample["round"]: sample[key]
        for sample in data["samples"]
        if sample["server"] == name and (sample["size"], sample["conns"]) == cell
    }


def names_of(data):
    return list(dict.fromkeys(sample["server"] for sample in data["samples"] if sample["round"] == 0))


def cpu_ratio(data, cell, name, base):
    return summaries.ratios(values(data, cell, name, "cpu_ns"), values(data, cell, base, "cpu_ns"))


def size_text(size):
    return f"{size // 1024} KiB" if size >= 1024 else f"{size} B"


def tables(data):
    return table(data, "c", ["off", "metrics"])


def table(data, base, further):
    """One table for each size and number of connections."""
    labels = {contender.name: contender.label for contender in contenders.everyone()}
    lines = []
    for cell in cells_of(data):
        size, connections = cell
        present = names_of(data)
        bases = [name for name in [base, *further] if name in present]
        rounds = len(values(data, cell, base, "cpu_ns"))
        lines += [f"### {size_text(size)}, {connections:,} connections ({rounds} rounds)", ""]
        heads = "".join(f" of {labels[name].removeprefix('MonitoredUV, ')} |" for name in bases)
        lines.append(f"| server | messages/s | p50 µs | p99 µs | p99.9 µs | load's CPU | CPU ns/message |{heads}")
        lines.append("|---" + "|--:" * (6 + len(bases)) + "|")
        for name in present:
            latency = values(data, cell, name, "latency_us")
            percentile = lambda key: summaries.summary([each[key] for each in latency.values()])["median"]  # noqa: E731
            speed = summaries.summary(values(data, cell, name, "per_second").values())
            cpu = summaries.summary(values(data, cell, name, "cpu_ns").values())
            ratios = [cpu_ratio(data, cell, name, other) for other in bases]
            cells = [
                labels.get(name, name),
                summaries.text(speed, ",.0f"),
                *(f"{percentile(key):,.0f}" for key in ("50", "99", "99.9")),
                f"{summaries.summary(values(data, cell, name, 'client_cpu').values())['median']:.0%}",
                summaries.text(cpu, ",.0f"),
                *(summaries.text(ratio, ".2f") for ratio in ratios),
            ]
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    lines.append("The load is a closed loop, one message on its way for each connection, and has one core: where that is near")
    lines.append("100 % the server could do more, and the latency is the connections' queue.")
    seen = [f"{labels.get(name, name)} {count:.2f}" for name, count in data["seen"].items()]
    if seen:
        lines.append(f"What was reported of each message, by the monitors that count: {', '.join(seen)}. monitored_ioloop is")
        lines.append("not told of what protocols receive, only of what tasks do.")
        lines.append("Tables of 8 rounds are for the orders of magnitude.")
    return lines


def aims(data):
    present, result = names_of(data), []
    for cell in [cell for cell in JUDGED if cell in cells_of(data)]:
        def add(name, base, limit, text):
            if name in present and base in present:
                what = f"CPU per message, {text}, {cell[1]} connections"
                result.append(Aim.of_ratio(what, cpu_ratio(data, cell, name, base), limit))

        add("metrics", "nio", 0.75, "metrics / SwiftNIO")
        add("off", "uvloop", 0.85, "off / uvloop")
        add("off", "node", 0.55, "off / Node")
    large = (102_400, 10)
    if large in cells_of(data):
        ratio = cpu_ratio(data, large, "off", "c")
        result.append(Aim.of_ratio("CPU per message of 100 KiB, off / C, 10 connections", ratio, 1.05))
    return result
