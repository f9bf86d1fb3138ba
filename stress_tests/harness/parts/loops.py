"""A server on one loop and on two: whether two threads carry twice as much."""

import os

from .. import servers, summaries, tools
from ..aims import Aim

NAME = "loops"
TITLE = "one server on several loops"
COUNTS = [1, 2]
#: Steps for each message, some 160 µs, so that the load generator's share is small.
WORK = 100_000


def seconds(size):
    return 10 if size == "quick" else 75


def measure(run):
    processors = len(os.sched_getaffinity(0))
    if processors < max(COUNTS):
        return {"processors": processors, "samples": []}
    rounds, length = run.choose(quick=3, normal=24), run.choose(quick=0.5, normal=1)
    samples, running = [], {}
    try:
        for count in COUNTS:
            port = servers.free_port()
            command = [tools.swift_program("groupecho"), str(port), "--loops", str(count), "--work", str(WORK)]
            running[count] = servers.Server(f"{count} loops", command, port, processor=servers.ALL_PROCESSORS)
            running[count].pause()
        for number in range(rounds):
            for count in COUNTS if number % 2 == 0 else reversed(COUNTS):
                server = running[count]
                server.resume()
                measured = servers.load(server, 32, 64, "-t", length, "-w", 0.1)
                server.pause()
                samples.append({"loops": count, "round": number, **measured})
            run.step((number + 1) / rounds, f"round {number + 1} of {rounds}")
    finally:
        for server in running.values():
            server.end()
    return {"processors": processors, "samples": samples}


def _values(data, count, key):
    return {sample["round"]: key(sample) for sample in data["samples"] if sample["loops"] == count}


def _nanoseconds(sample):
    return 1e9 / sample["per_second"]


def tables(data):
    if not data["samples"]:
        return [f"Not measured: {max(COUNTS)} processors are needed, and there was {data['processors']}."]
    lines = [
        "`UVTCPServer.listen(host:port:on:)` with a group: 32 connections, each message with some 160 µs of work, on a",
        f"machine with {data['processors']} processors, which the load generator shares.",
        "",
        "| loops | messages/s | CPU µs/message | messages/s, of one loop's |",
        "|--:|--:|--:|--:|",
    ]
    for count in COUNTS:
        per_second = summaries.summary(_values(data, count, lambda sample: sample["per_second"]).values())
        cpu = summaries.summary(_values(data, count, lambda sample: sample["cpu_ns"] / 1000).values())
        gain = summaries.ratios(_values(data, 1, _nanoseconds), _values(data, count, _nanoseconds))
        cells = [str(count), summaries.text(per_second, ",.0f"), summaries.text(cpu, ".0f"), summaries.text(gain, ".2f")]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def aims(data):
    if not data["samples"]:
        return []
    ratio = summaries.ratios(_values(data, 2, _nanoseconds), _values(data, 1, _nanoseconds))
    return [Aim.of_ratio("time per message, two loops / one", ratio, 1 / 1.8)]
