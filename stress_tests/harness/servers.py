"""Starts and stops servers, and sends them load. All of it stays on 127.0.0.1."""

import contextlib
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time

from . import tools
from .failures import BlindMonitor, Failure

#: Servers run on the first processor and load on the second, where there are two.
_processors = sorted(os.sched_getaffinity(0))
SERVER_PROCESSOR, LOAD_PROCESSOR = _processors[0], _processors[-1]
ALL_PROCESSORS = ",".join(map(str, _processors))
_ports = itertools.count(9310)


def pinned(processor, command):
    """The command on one processor, or several with commas between them; it ends with this process, however that ends."""
    return ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", str(processor), *command]


def free_port():
    """A port nobody listens on; each is used once, for the last connections of a port linger."""
    for port in _ports:
        with socket.socket() as probe:
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


class Server:
    """A server process, which is stopped between its measurements so that it does not disturb others."""

    def __init__(self, name, command, port, wrapper=(), processor=SERVER_PROCESSOR):
        self.name, self.port = name, port
        self.sent = 0
        self._output = tempfile.TemporaryFile("a+")
        self.process = subprocess.Popen(
            pinned(processor, [*wrapper, *command]),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            cwd=tools.ROOT,
        )
        end = time.monotonic() + (180 if wrapper else 60)
        try:
            while "ready" not in self.output():
                if self.process.poll() is not None or time.monotonic() > end:
                    raise Failure(f"{name} did not start:\n{self.output()}")
                time.sleep(0.01)
        except BaseException:
            self._kill()
            raise

    def output(self):
        self._output.seek(0)
        return self._output.read()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def end(self):
        """Ends it, unless it has ended; returns what it said."""
        if self.process.poll() is None:
            self.resume()
            self._signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self._kill()
        return self.output()

    def _kill(self):
        self._signal(signal.SIGKILL)
        self.process.kill()
        self.process.wait()

    def _signal(self, number):
        """To the server itself, where a tool is its parent."""
        pid = self.process.pid
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                children = file.read().split()
            os.kill(int(children[0]) if children else pid, number)

    def seen(self):
        """Ends it; how many dispatches its monitor saw."""
        return dispatches_of(self.end(), self.name)


def dispatches_of(output, name):
    found = re.findall(r"^dispatches: (\d+)$", output, re.MULTILINE)
    if not found:
        raise Failure(f"{name} did not say what its monitor saw:\n{output}")
    return int(found[-1])


def expect_seen(seen, sent, name):
    """A measurement of a monitor that sees nothing says nothing."""
    if seen < sent:
        raise BlindMonitor(f"the monitor of {name} saw {seen} dispatches of {sent} messages")


class Running(dict):
    """Servers by the names of their contenders, and what their monitors saw for each message."""

    def __init__(self):
        super().__init__()
        self.seen = {}


@contextlib.contextmanager
def running(contenders):
    """Servers of all of them, paused."""
    with contextlib.ExitStack() as stack:
        servers = Running()
        for contender in contenders:
            port = free_port()
            server = Server(contender.label, contender.echo_command(port), port)
            stack.callback(server.end)
            servers[contender.name] = server
            server.pause()
        yield servers
        for contender in contenders:
            if contender.counts:
                server = servers[contender.name]
                seen = server.seen()
                expect_seen(seen, server.sent, contender.label)
                servers.seen[contender.name] = seen / max(server.sent, 1)


def load(server, connections, size, *options):
    """Sends echo messages to a server; what the load generator measured."""
    words = ["-p", server.port, "-c", connections, "-s", size, "-P", server.process.pid, *options]
    measured = generate_load(server, "echoload", *words)
    server.sent += measured["all_msgs"]
    return measured


def generate_load(server, program, *words):
    """Runs a load generator against a server; what it measured."""
    command = [str(tools.BIN / program), *map(str, words)]
    result = subprocess.run(
        pinned(LOAD_PROCESSOR, command), capture_output=True, text=True, timeout=400, check=False
    )
    if result.returncode or server.process.poll() is not None:
        raise Failure(f"{server.name} under load: {result.stderr}{server.output()}")
    return json.loads(result.stdout)
