"""Churn, resets and blocks for a long time: what the process holds afterwards is what it held before."""

import json
import subprocess

from .. import tools
from ..aims import Aim
from ..failures import Failure

NAME = "soak"
TITLE = "soak: churn, resets and blocks"


def length(size):
    return {"quick": 10, "normal": 60, "full": 3600}[size]


def seconds(size):
    return length(size) + 2


def measure(run):
    command = [tools.swift_program("soak"), "--seconds", str(length(run.size))]
    result = subprocess.run(command, capture_output=True, text=True, timeout=length(run.size) + 300, check=False)
    lines = result.stdout.splitlines()
    if result.returncode or not lines:
        raise Failure(f"soak: {result.stdout}{result.stderr}")
    return json.loads(lines[-1])


def tables(data):
    counts, before, after = data["counts"], data["before"], data["after"]
    lines = [
        f"{data['seconds'] / 60:.0f} minutes after warming up; from the beginning {counts['visits']:,} connections, "
        f"{counts['messages']:,} messages compared, {counts['resets']:,} resets, {counts['departures']:,} that left without "
        f"reading, {counts['refusals']:,} refused, {counts['timeouts']:,} that gave up, {counts['failures']} that failed; {counts.get('timers', 0):,} timers; "
        f"{data['blocks']} blocks of 60 ms, of which the watchdog told {data['blocksReported']}.",
        "",
        "| with nobody connected | after warming up | at the end |",
        "|---|--:|--:|",
    ]
    for key, text in (("descriptors", "descriptors"), ("threads", "threads")):
        lines.append(f"| {text} | {before[key]} | {after[key]} |")
    handles = lambda holdings: ", ".join(f"{count} {name}" for name, count in sorted(holdings["handles"].items()))  # noqa: E731
    lines.append(f"| handles | {handles(before)} | {handles(after)} |")
    for key, text in (("heapBytes", "heap in use, KiB"), ("residentBytes", "resident, KiB")):
        lines.append(f"| {text} | {before[key] // 1024:,} | {after[key] // 1024:,} |")
    return lines


def aims(data):
    before, after = data["before"], data["after"]
    # A machine that stands still in the middle of a block excuses it.
    missed = data["blocks"] - data["blocksReported"] - data["reportsLeftOut"]
    opened = sum(abs(after["handles"].get(name, 0) - before["handles"].get(name, 0)) for name in before["handles"] | after["handles"])
    return [
        Aim("soak: visits that failed", data["counts"]["failures"], 0, counted=True),
        Aim("soak: handles more or fewer", opened, 0, counted=True),
        Aim("soak: descriptors more", after["descriptors"] - before["descriptors"], 0, counted=True),
        Aim("soak: KiB of heap more", (after["heapBytes"] - before["heapBytes"]) / 1024, 256, counted=True),
        Aim("soak: MiB resident more", (after["residentBytes"] - before["residentBytes"]) / 2**20, 6, counted=True),
        Aim("soak: threads more", after["threads"] - before["threads"], 0, counted=True),
        Aim("soak: blocks that the watchdog missed", missed, max(1, data["blocks"] // 50), counted=True),
        Aim("soak: dispatches that the monitor missed", data["dispatches"] - data["dispatchesMonitored"], 0, counted=True),
    ]
