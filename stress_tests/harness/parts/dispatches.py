"""Posted callbacks and timers, without any I/O."""

import subprocess

from .. import contenders, servers, summaries
from ..aims import Aim
from ..failures import Failure

NAME = "dispatches"
TITLE = "posted callbacks and timers"
CONTENDERS = ["c", "off", "metrics", "callbacks", "nio", "uvloop", "uvloop_monitored", "node", "node_monitored"]
WHAT = {
    "posted_batch": "posted, a thousand at a time",
    "posted_chain": "posted one by the other",
    "posted_remote": "posted by another thread",
    "timers": "timers, all started at once, due within 100 ms",
}
HANDLES = (10, 10_000)
#: Whose million timers the quick form takes the time for.
TIMED = ("c", "off")


def seconds(size):
    return 20 if size == "quick" else 600


def measure(run):
    rounds = run.choose(quick=2, normal=16)
    counts = run.choose(
        quick={"posted_batch": 100_000, "posted_chain": 100_000, "posted_remote": 100_000, "timers": 1_000_000},
        normal={"posted_batch": 500_000, "posted_chain": 200_000, "posted_remote": 200_000, "timers": 1_000_000},
    )
    chosen = contenders.named(*run.choose(quick=CONTENDERS[:4], normal=CONTENDERS))
    samples, handles = [], []
    for number in range(rounds):
        for what, count in counts.items():
            for contender in chosen if number % 2 == 0 else reversed(chosen):
                if not _does(contender, what) or (run.size == "quick" and what == "timers" and contender.name not in TIMED):
                    continue
                # A monitor in Python takes ten times as long.
                share = 10 if contender.name == "uvloop_monitored" and what.startswith("posted") else 1
                wall, cpu = _run(contender.dispatch_command(what, count // share), what)
                samples.append({"server": contender.name, "what": what, "round": number, "wall_ns": wall, "cpu_ns": cpu})
        for contender in contenders.named(*contenders.LEVELS):
            for count in HANDLES if number % 2 == 0 else reversed(HANDLES):
                command = contender.dispatch_command("posted_chain", counts["posted_chain"])
                _, cpu = _run([*command, "--handles", str(count)], "posted_chain")
                handles.append({"server": contender.name, "handles": count, "round": number, "cpu_ns": cpu})
        run.step((number + 1) / rounds, f"round {number + 1} of {rounds}")
    return {"counts": counts, "samples": samples, "handles": handles}


def _does(contender, what):
    """Node's workers have loops of their own, and monitored_ioloop is told of `call_soon` alone."""
    if contender.name == "uvloop_monitored":
        return what in ("posted_batch", "posted_chain")
    return not (contender.name.startswith("node") and what == "posted_remote")


def _run(command, what):
    processors = [] if what == "posted_remote" else ["taskset", "-c", str(servers.SERVER_PROCESSOR)]
    result = subprocess.run([*processors, *command], capture_output=True, text=True, timeout=400, check=False)
    words = result.stdout.split()
    if result.returncode or len(words) != 3:
        raise Failure(f"{' '.join(command)}: {result.stdout}{result.stderr}")
    return float(words[1]), float(words[2])


def values(data, name, what):
    """Nanoseconds of processor time, by round."""
    return {
        sample["round"]: sample["cpu_ns"]
        for sample in data["samples"]
        if sample["server"] == name and sample["what"] == what
    }


def flatness(data, name):
    """With many open handles, relative to few."""
    few, many = (
        {each["round"]: each["cpu_ns"] for each in data["handles"] if each["server"] == name and each["handles"] == count}
        for count in HANDLES
    )
    return summaries.ratios(many, few)


def tables(data):
    labels = {contender.name: contender.label for contender in contenders.everyone()}
    lines = [
        "Nanoseconds of processor time for each, quartiles behind the median. Of those that post each other ours runs two in",
        f"an iteration, before and after the poll, C one. The timers are {data['counts']['timers']:,}.",
        "",
    ]
    lines += ["| | " + " | ".join(WHAT.values()) + " |", "|---" + "|--:" * len(WHAT) + "|"]
    for name in dict.fromkeys(sample["server"] for sample in data["samples"]):
        cells = []
        for what in WHAT:
            found = values(data, name, what)
            cells.append(summaries.text(summaries.summary(found.values()), ",.0f") if found else "")
        lines.append(f"| {labels.get(name, name)} | " + " | ".join(cells) + " |")
    lines += ["", "The same in relation to C:", "", "| | " + " | ".join(WHAT.values()) + " |", "|---" + "|--:" * len(WHAT) + "|"]
    for name in dict.fromkeys(sample["server"] for sample in data["samples"]):
        cells = []
        for what in WHAT:
            found = values(data, name, what)
            cells.append(summaries.text(summaries.ratios(found, values(data, "c", what)), ".2f") if found else "")
        lines.append(f"| {labels.get(name, name)} | " + " | ".join(cells) + " |")
    texts = ", ".join(f"`{name}` {summaries.text(flatness(data, name), '.2f')}" for name in contenders.LEVELS)
    return [
        *lines,
        "",
        f"With {HANDLES[1]:,} open handles instead of {HANDLES[0]}, one that posts the next takes: {texts} times as long.",
    ]


def aims(data):
    batch = {name: values(data, name, "posted_batch") for name in ("c", *contenders.LEVELS)}
    added = summaries.differences(batch["metrics"], batch["off"])
    return [
        Aim.of_ratio("posted in a batch, off / C", summaries.ratios(batch["off"], batch["c"]), 4),
        Aim.of_ratio("ns that metrics add to one posted in a batch", added, 85, slack=3),
        Aim.of_ratio(
            f"{data['counts']['timers']:,} timers, off / C",
            summaries.ratios(values(data, "off", "timers"), values(data, "c", "timers")),
            1.3,
        ),
        *(
            Aim.of_ratio(f"one that posts the next, 10,000 handles / 10, {name}", flatness(data, name), 1.1)
            for name in contenders.LEVELS
        ),
    ]
