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
    "posted_chain": "posted one by the other, an iteration for each",
    "posted_remote": "posted by another thread",
    "timers": "timers, started all at once and due within 100 ms",
}
HANDLES = (10, 10_000)


def seconds(size):
    return 40 if size == "quick" else 240


def measure(run):
    rounds = run.choose(quick=3, normal=7)
    counts = run.choose(
        quick=dict.fromkeys(WHAT, 100_000),
        normal={"posted_batch": 500_000, "posted_chain": 200_000, "posted_remote": 200_000, "timers": 1_000_000},
    )
    chosen = contenders.named(*CONTENDERS)
    samples, handles = [], []
    for number in range(rounds):
        for what, count in counts.items():
            for contender in chosen if number % 2 == 0 else reversed(chosen):
                if contender.name.startswith("node") and what == "posted_remote":
                    continue
                # A monitor in Python takes ten times as long.
                share = 10 if contender.name == "uvloop_monitored" and what.startswith("posted") else 1
                wall, cpu = _run(contender.dispatch_command(what, count // share), what)
                samples.append({"server": contender.name, "what": what, "round": number, "wall_ns": wall, "cpu_ns": cpu})
        for contender in contenders.named(*contenders.LEVELS):
            for count in HANDLES if number % 2 == 0 else reversed(HANDLES):
                command = contender.dispatch_command("posted_batch", counts["posted_batch"])
                _, cpu = _run([*command, "--handles", str(count)], "posted_batch")
                handles.append({"server": contender.name, "handles": count, "round": number, "cpu_ns": cpu})
        run.step((number + 1) / rounds, f"round {number + 1} of {rounds}")
    return {"counts": counts, "samples": samples, "handles": handles}


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
    lines = ["Nanoseconds of processor time for each: the median, and the least of the rounds.", ""]
    lines += ["| | " + " | ".join(WHAT.values()) + " |", "|---" + "|--:" * len(WHAT) + "|"]
    for name in dict.fromkeys(sample["server"] for sample in data["samples"]):
        cells = []
        for what in WHAT:
            found = values(data, name, what)
            figure = summaries.summary(found.values()) if found else None
            cells.append(f"{figure['median']:,.0f} ({figure['least']:,.0f})" if figure else "")
        lines.append(f"| {labels.get(name, name)} | " + " | ".join(cells) + " |")
    flat = {name: flatness(data, name) for name in contenders.LEVELS}
    texts = ", ".join(f"`{name}` {ratio['median']:.2f} ({ratio['low']:.2f}–{ratio['high']:.2f})" for name, ratio in flat.items())
    return [*lines, "", f"With {HANDLES[1]:,} open handles instead of {HANDLES[0]}, a posted callback takes: {texts} times as long."]


def aims(data):
    batch = {name: values(data, name, "posted_batch") for name in ("c", *contenders.LEVELS)}
    # What is added is small, and noise only ever adds: the least of the rounds tells most.
    added = min(batch["metrics"].values()) - min(batch["off"].values())
    return [
        Aim.of_ratio("posted in a batch, off / C", summaries.ratios(batch["off"], batch["c"]), 4),
        Aim("ns that metrics add to one posted in a batch", added, 85),
        Aim.of_ratio(
            "a million timers, off / C",
            summaries.ratios(values(data, "off", "timers"), values(data, "c", "timers")),
            1.3,
        ),
        *(
            Aim.of_ratio(f"posted with 10,000 handles / 10, {name}", flatness(data, name), 1.1)
            for name in contenders.LEVELS
        ),
    ]
