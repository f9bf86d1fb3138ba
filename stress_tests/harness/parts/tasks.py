"""What tasks do most, on a loop and on Swift's own executors."""

import subprocess

from .. import contenders, summaries, tools
from ..aims import Aim
from ..failures import Failure

NAME = "tasks"
TITLE = "tasks: yields, children, hops, sleeps"
EXECUTORS = {"swift": "Swift's", "swiftMetrics": "Swift's, `SwiftExecutors`", "runMain": "`runMain`", "run": "`run`", "monitored": "`runMain`, a monitor that counts"}


def seconds(size):
    return 20 if size == "quick" else 120


def measure(run):
    rounds, count = run.choose(quick=2, normal=8), run.choose(quick=20_000, normal=100_000)
    samples, yields = [], []
    for number in range(rounds):
        yields += [{"server": name, "round": number, "wall_ns": figure} for name, figure in _uvloop(count)]
        for executor in EXECUTORS if number % 2 == 0 else reversed(EXECUTORS):
            figures = _run(["--executor", executor, "--count", str(count)])
            if executor == "monitored" and figures.pop("dispatches") < count:
                raise Failure("the monitor of the tasks saw fewer dispatches than there were")
            samples += [
                {"executor": executor, "round": number, "what": what, "wall_ns": figure}
                for what, figure in figures.items()
            ]
        run.step((number + 1) / (rounds + 1), f"round {number + 1} of {rounds}")
    sleepers = run.choose(quick=100_000, normal=1_000_000)
    sleeping = _run(["--sleepers", str(sleepers)])
    return {"samples": samples, "uvloop_yields": yields, "sleepers": sleepers, "sleeping": sleeping}


def _run(arguments):
    command = [tools.swift_program("concurrency"), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    lines = [line.rsplit(": ", 1) for line in result.stdout.splitlines()]
    if result.returncode or not lines:
        raise Failure(f"{' '.join(command)}: {result.stdout}{result.stderr}")
    return {name: int(figure) for name, figure in lines}


def _uvloop(count):
    """`asyncio.sleep(0)`, which is its yield."""
    for contender in contenders.named("uvloop", "uvloop_monitored"):
        command = contender.dispatch_command("yield", count)
        result = subprocess.run(command, capture_output=True, text=True, timeout=400, check=True)
        yield contender.name, float(result.stdout.split()[1])


def values(data, executor, what):
    return {
        sample["round"]: sample["wall_ns"]
        for sample in data["samples"]
        if sample["executor"] == executor and sample["what"] == what
    }


def tables(data):
    lines = ["Nanoseconds for each on the wall clock, quartiles behind the median.", ""]
    lines += ["| | " + " | ".join(EXECUTORS.values()) + " |", "|---" + "|--:" * len(EXECUTORS) + "|"]
    for what in dict.fromkeys(sample["what"] for sample in data["samples"]):
        figures = [summaries.summary(values(data, executor, what).values()) for executor in EXECUTORS]
        lines.append(f"| {what} | " + " | ".join(summaries.text(each, ",.0f") for each in figures) + " |")
    for name in dict.fromkeys(sample["server"] for sample in data["uvloop_yields"]):
        figure = summaries.summary([sample["wall_ns"] for sample in data["uvloop_yields"] if sample["server"] == name])
        lines += ["", f"`asyncio.sleep(0)` takes {summaries.text(figure, ',.0f')} ns on {name.replace('_', ', ')}."]
    sleeping = data["sleeping"]
    mebibytes = next(value for name, value in sleeping.items() if name.startswith("MiB"))
    return [
        *lines,
        "",
        f"{data['sleepers']:,} sleeping tasks take {mebibytes:,} MiB; the last one woke {sleeping['milliseconds late']} ms late.",
    ]


def aims(data):
    ratio = summaries.ratios(values(data, "runMain", "yield"), values(data, "swift", "yield"))
    return [Aim.of_ratio("yield, runMain / Swift's executor", ratio, 1)]
