"""Instructions, heap allocations and system calls for a message: the same each time, whatever else the machine does."""

import re
import subprocess
import tempfile

from .. import contenders, servers, tools
from ..aims import Aim
from ..failures import Failure

NAME = "counts"
TITLE = "instructions, allocations and system calls for an echoed message of 1 KiB"


def seconds(size):
    return 60 if size == "quick" else 300


#: Under callgrind: whose instructions are counted. Node's are compiled while it runs, which valgrind does not follow well.
INSTRUCTIONS = ["c", "off", "metrics", "callbacks", "nio", "uvloop", "uvloop_monitored"]
ALLOCATIONS = ["c", "off", "metrics", "callbacks", "nio"]
CALLS = ["c", "off", "metrics", "callbacks", "nio", "uvloop", "node"]


def measure(run):
    messages = run.choose(quick=2000, normal=5000)
    quick = run.size == "quick"
    chosen = {
        "instructions": INSTRUCTIONS[:4] if quick else INSTRUCTIONS,
        "allocations": ALLOCATIONS[1:4] if quick else ALLOCATIONS,
        "calls": CALLS[:3] if quick else CALLS,
    }
    how = {"instructions": _instructions, "allocations": _allocations, "calls": _calls}
    data, done = {}, 0
    steps = sum(len(names) for names in chosen.values()) + 1
    for what, names in chosen.items():
        data[what] = {}
        for contender in contenders.named(*names):
            data[what][contender.name] = _for_each(how[what], contender, messages)
            done += 1
        run.step(done / steps, what)
    data["allocations_per_hop"] = _hops(messages)
    return data


def _for_each(count, contender, messages):
    """What each further message costs: from a run of some and a run of many."""
    fewer, more = count(contender, messages), count(contender, messages * 6)
    if isinstance(more, dict):
        names = more.keys() | fewer.keys()
        each = {name: (more.get(name, 0) - fewer.get(name, 0)) / (messages * 5) for name in names}
        return {name: value for name, value in sorted(each.items()) if value > 0.005}
    # Some are made once, or not, as threads happen to start.
    if more < fewer * 0.99:
        raise Failure(f"{contender.label}: less for more messages ({fewer}, {more})")
    return max(0, more - fewer) / (messages * 5)


def _serve(contender, messages, wrapper):
    """A whole run of a server under a tool, with one connection; what it and the tool said."""
    port = servers.free_port()
    command = contender.echo_command(port)
    program = command[0]
    if program.endswith(("uvecho", "nioecho")):
        command[0] = tools.without_debug_information(program.rsplit("/", 1)[1])
    if program.endswith("uvecho"):
        command += ["--connections", "1"]
    server = servers.Server(contender.label, command, port, wrapper)
    try:
        _load(port, messages)
        if program.endswith("uvecho"):
            server.process.wait(60)
    finally:
        output = server.end()
    if contender.counts:
        servers.expect_seen(servers.dispatches_of(output, contender.label), messages, contender.label)
    return output


def _load(port, messages):
    command = [str(tools.BIN / "echoload"), "-p", str(port), "-c", "1", "-s", "1024", "-k", str(messages)]
    subprocess.run(command, check=True, capture_output=True, timeout=400)


def _instructions(contender, messages):
    with tempfile.NamedTemporaryFile() as profile:
        _serve(contender, messages, ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={profile.name}"])
        text = open(profile.name, encoding="utf-8", errors="replace").read()
    return int(_find(r"^(?:summary|totals):\s+(\d+)", text, contender))


def _allocations(contender, messages):
    output = _serve(contender, messages, ["valgrind", "--leak-check=no"])
    return _total_allocations(output, contender)


def _total_allocations(output, contender):
    return int(_find(r"total heap usage: ([\d,]+) allocs", output, contender).replace(",", ""))


def _calls(contender, messages):
    with tempfile.NamedTemporaryFile() as summary:
        _serve(contender, messages, ["strace", "-f", "-c", "-U", "calls,name", "-o", summary.name])
        lines = open(summary.name, encoding="utf-8").read().splitlines()
    found = [line.split() for line in lines]
    calls = {line[1]: int(line[0]) for line in found if len(line) == 2 and line[0].isdigit() and line[1] != "total"}
    if not calls:
        raise Failure(f"strace counted nothing for {contender.label}")
    return calls


def _find(pattern, text, contender):
    found = re.search(pattern, text, re.MULTILINE)
    if not found:
        raise Failure(f"{contender.label}: no figure in\n{text[-2000:]}")
    return found[1]


def _hops(messages):
    """Heap allocations for a task's way to an actor on another loop and back."""
    totals = []
    for hops in (messages, messages * 6):
        command = ["valgrind", "--leak-check=no", tools.without_debug_information("concurrency"), "--hops", str(hops)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=400, check=True)
        totals.append(int(re.search(r"total heap usage: ([\d,]+) allocs", result.stderr)[1].replace(",", "")))
    return (totals[1] - totals[0]) / (messages * 5)


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
        *(Aim(f"allocations for a message, {name}", allocations[name], 0.001, counted=True) for name in contenders.LEVELS),
        Aim("allocations for a hop between loops", data["allocations_per_hop"], 0.001, counted=True),
        *(
            Aim(f"system calls for a message, {name} / C", total[name] / total["c"], 1.01, counted=True)
            for name in contenders.LEVELS
            if name in total
        ),
    ]
