"""Instructions, heap allocations and system calls for a message: the same each time, whatever else the machine does."""

import concurrent.futures
import functools
import re
import subprocess
import tempfile

from .. import contenders, servers, tools
from ..aims import Aim
from ..failures import Failure

NAME = "counts"
TITLE = "instructions, allocations and system calls for an echoed message of 1 KiB"


def seconds(size):
    return 40 if size == "quick" else 300


#: Under callgrind: whose instructions are counted. Node's are compiled while it runs, which valgrind does not follow well.
INSTRUCTIONS = ["c", "off", "metrics", "callbacks", "nio", "uvloop", "uvloop_monitored"]
#: The last of our levels does what the others do, and more.
ALLOCATIONS = ["c", "off", "metrics", "callbacks", "nio"]
CALLS = ["c", "off", "metrics", "callbacks", "nio", "uvloop", "node"]


def measure(run):
    messages = run.choose(quick=2000, normal=5000)
    quick = run.size == "quick"
    chosen = {
        "instructions": INSTRUCTIONS[:4] if quick else INSTRUCTIONS,
        "allocations": ALLOCATIONS[3:4] if quick else ALLOCATIONS,
        "calls": CALLS[:3] if quick else CALLS,
    }
    how = {"instructions": _instructions, "allocations": _allocations, "calls": _calls}
    data, done = {}, 0
    steps = sum(len(names) for names in chosen.values()) + 1
    for what, names in chosen.items():
        data[what] = {}
        for contender in contenders.named(*names):
            count = functools.partial(how[what], contender)
            # Who kept a message waiting is looked up, too, so that instructions want a machine of their own.
            data[what][contender.name] = _for_each(count, messages, at_once=what != "instructions")
            done += 1
        run.step(done / steps, what)
    data["allocations_per_hop"] = _for_each(_hop_allocations, messages)
    return data


def _for_each(count, messages, at_once=True):
    """What each further message costs: from a run of some and a run of many, at once on a processor for each."""
    processors = servers.SERVER_PROCESSOR, servers.LOAD_PROCESSOR if at_once else servers.SERVER_PROCESSOR
    with concurrent.futures.ThreadPoolExecutor(2 if at_once else 1) as runs:
        fewer, more = runs.map(count, (messages, messages * 6), processors)
    if isinstance(more, dict):
        return calls_for_each(fewer, more, messages * 5)
    # Some are made once, or not, as threads happen to start.
    if more < fewer * 0.99:
        raise Failure(f"less for more messages ({fewer}, {more})")
    return max(0, more - fewer) / (messages * 5)


def calls_for_each(fewer, more, number):
    """Calls for each of the `number` messages that the second run served more."""
    each = {name: (more.get(name, 0) - fewer.get(name, 0)) / number for name in more.keys() | fewer.keys()}
    return {name: value for name, value in sorted(each.items()) if value > 0.005}


def _serve(contender, messages, processor, wrapper):
    """A whole run of a server under a tool, with one connection; what it and the tool said."""
    port = servers.free_port()
    command = contender.echo_command(port)
    if ends_by_itself := command[0].endswith("uvecho"):
        command += ["--connections", "1"]
    server = servers.Server(contender.label, command, port, wrapper, processor)
    try:
        _load(port, messages)
        if ends_by_itself:
            server.process.wait(60)
    finally:
        output = server.end()
    if contender.counts:
        servers.expect_seen(servers.dispatches_of(output, contender.label), messages, contender.label)
    return output


def _load(port, messages):
    command = [str(tools.BIN / "echoload"), "-p", str(port), "-c", "1", "-s", "1024", "-k", str(messages)]
    subprocess.run(command, check=True, capture_output=True, timeout=400)


def _instructions(contender, messages, processor):
    with tempfile.NamedTemporaryFile() as profile:
        wrapper = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={profile.name}"]
        _serve(contender, messages, processor, wrapper)
        text = open(profile.name, encoding="utf-8", errors="replace").read()
    return int(_find(r"^(?:summary|totals):\s+(\d+)", text, contender.label))


#: Memcheck, for what it counts alone.
MEMCHECK = ["valgrind", "--leak-check=no", "--undef-value-errors=no"]


def _allocations(contender, messages, processor):
    return _total_allocations(_serve(contender, messages, processor, MEMCHECK), contender.label)


def _hop_allocations(hops, processor):
    """For tasks' ways to an actor on another loop and back."""
    command = servers.pinned(processor, [*MEMCHECK, tools.swift_program("concurrency"), "--hops", str(hops)])
    result = subprocess.run(command, capture_output=True, text=True, timeout=400, check=True)
    return _total_allocations(result.stderr, "concurrency")


def _total_allocations(output, name):
    return int(_find(r"total heap usage: ([\d,]+) allocs", output, name).replace(",", ""))


def _calls(contender, messages, processor):
    return calls_during(lambda wrapper: _serve(contender, messages, processor, wrapper), contender.label)


def calls_during(serve, name):
    """What system calls a server makes, and how often, that `serve` runs behind the words of a tool."""
    with tempfile.NamedTemporaryFile() as summary:
        serve(["strace", "-f", "-c", "-U", "calls,name", "-o", summary.name])
        lines = open(summary.name, encoding="utf-8").read().splitlines()
    found = [line.split() for line in lines]
    calls = {line[1]: int(line[0]) for line in found if len(line) == 2 and line[0].isdigit() and line[1] != "total"}
    if not calls:
        raise Failure(f"strace counted nothing for {name}")
    return calls


def _find(pattern, text, name):
    found = re.search(pattern, text, re.MULTILINE)
    if not found:
        raise Failure(f"{name}: no figure in\n{text[-2000:]}")
    return found[1]


def tables(data):
    labels = {contender.name: contender.label for contender in contenders.everyone()}
    base = data["instructions"]["c"]
    lines = ["Counted in user space with one connection: what each further message adds.", ""]
    lines += ["| server | instructions | of C | allocations | system calls |", "|---|--:|--:|--:|---|"]
    for name in dict.fromkeys([*data["instructions"], *data["calls"]]):
        instructions, allocations = data["instructions"].get(name), data["allocations"].get(name)
        calls = data["calls"].get(name)
        cells = [
            labels.get(name, name),
            f"{instructions:,.0f}" if instructions else "",
            f"{instructions / base:.2f}" if instructions else "",
            f"{allocations:.3g}" if allocations is not None else "",
            ", ".join(f"{call} {count:.3g}" for call, count in calls.items()) if calls else "",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", f"A task's way to an actor on another loop and back allocates {data['allocations_per_hop']:.3g} times."]
    return lines


def aims(data):
    instructions, allocations = data["instructions"], data["allocations"]
    total = {name: sum(calls.values()) for name, calls in data["calls"].items()}
    return [
        Aim("instructions, off / C", instructions["off"] / instructions["c"], 1.5, counted=True),
        Aim("instructions that metrics add", instructions["metrics"] - instructions["off"], 500, counted=True),
        Aim("instructions that a monitor adds", instructions["callbacks"] - instructions["metrics"], 150, counted=True),
        *(
            Aim(f"allocations for a message, {name}", allocations[name], 0.001, counted=True)
            for name in contenders.LEVELS
            if name in allocations
        ),
        Aim("allocations for a hop between loops", data["allocations_per_hop"], 0.001, counted=True),
        *(
            Aim(f"system calls for a message, {name} / C", total[name] / total["c"], 1.01, counted=True)
            for name in contenders.LEVELS
            if name in total
        ),
    ]
