"""Connections on which nothing happens."""

import subprocess
import time

from .. import contenders, servers, tools
from ..aims import Aim
from ..failures import Failure

NAME = "idle"
TITLE = "idle connections"
CONTENDERS = ["c", "off", "metrics", "callbacks", "async", "nio", "nio_async", "uvloop", "node"]


def seconds(size):
    return 10 if size == "quick" else 70


def measure(run):
    count = run.choose(quick=2000, normal=10_000)
    chosen = contenders.named(*CONTENDERS[:3] if run.size == "quick" else CONTENDERS)
    data = {"connections": count, "bytes": {}, "bytes_after_a_message": {}}
    for number, contender in enumerate(chosen):
        data["bytes"][contender.name] = _each(contender, count, 0)
        data["bytes_after_a_message"][contender.name] = _each(contender, count, count)
        run.step((number + 1) / len(chosen), contender.label)
    return data


def _each(contender, count, messages):
    """Resident bytes of the server for each connection, after `messages` on all of them together."""
    port = servers.free_port()
    server = servers.Server(contender.label, contender.echo_command(port), port)
    client = None
    try:
        # What the first connections need is needed once.
        servers.load(server, 100, 1024, "-k", 1000)
        _await(server, lambda descriptors: descriptors < 100)
        before, descriptors = server.resident_bytes(), server.descriptors()
        command = [str(tools.BIN / "echoload"), "-p", str(port), "-c", str(count), "-s", "1024", "-I", "60"]
        client = subprocess.Popen([*command, *(["-k", str(messages)] if messages else [])], stdout=subprocess.PIPE, text=True)
        while (line := client.stdout.readline()) != "idle\n":
            if not line:
                raise Failure(f"{contender.label}: the clients went")
        _await(server, lambda now: now >= descriptors + count)
        return (server.resident_bytes() - before) / count
    finally:
        if client:
            client.kill()
            client.wait()
        server.end()


def _await(server, condition):
    """Waits until it has as many descriptors, and a moment longer."""
    end = time.monotonic() + 30
    while not condition(server.descriptors()):
        if time.monotonic() > end:
            raise Failure(f"{server.name} has {server.descriptors()} descriptors open")
        time.sleep(0.01)
    time.sleep(0.3)


def tables(data):
    labels = {contender.name: contender.label for contender in contenders.everyone()}
    lines = [f"Resident bytes of the server for each of {data['connections']:,} connections; the kernel's are not in them.", ""]
    lines += ["| server | accepted | after a message of 1 KiB on each |", "|---|--:|--:|"]
    for name, size in data["bytes"].items():
        lines.append(f"| {labels.get(name, name)} | {size:,.0f} | {data['bytes_after_a_message'][name]:,.0f} |")
    return lines


def aims(data):
    # With few connections the pages count that are begun.
    return [
        Aim(f"bytes for an idle connection, {name}", data["bytes"][name], 1000)
        for name in ("off", "metrics")
        if data["connections"] >= 10_000
    ]
