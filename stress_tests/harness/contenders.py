"""Who is measured: this library at each level, and what one would use instead."""

from dataclasses import dataclass

from . import tools


@dataclass(frozen=True)
class Contender:
    name: str
    label: str
    #: The command of its echo server, to which the port is added, and then the options.
    echo: tuple = ()
    options: tuple = ()
    #: The command that measures posted callbacks and timers; what and how many are added, and then the options.
    dispatches: tuple = ()
    #: Whether the server says at its end how many dispatches its monitor saw, and that must be all of them.
    counts: bool = False

    def echo_command(self, port):
        return [*self.echo, str(port), *self.options]

    def dispatch_command(self, what, count):
        return [*self.dispatches, what, str(count), *self.options]


def everyone():
    """All contenders, C first; those whose tools are missing on this machine are left out."""
    return [contender for contender, is_there, _ in _table() if is_there]


def missing():
    """What is left out, and why."""
    return {contender.label: why for contender, is_there, why in _table() if not is_there}


def named(*names):
    """Of these names, those that there are, in that order."""
    there = {contender.name: contender for contender in everyone()}
    return [there[name] for name in names if name in there]


LEVELS = ("off", "metrics", "callbacks")


def _table():
    node, uvloop = tools.has_node(), tools.has_uvloop()
    peer = lambda name: str(tools.PEERS / name)  # noqa: E731
    uvloop_echo = (tools.python(), peer("echo_py.py"))
    uvloop_micro = (tools.python(), peer("micro_py.py"))
    no_node, no_uvloop = "node is not installed", "uvloop and monitored_ioloop cannot be imported"
    yield Contender(
        "c", "C, libuv alone", (str(tools.BIN / "echo_uv"),), dispatches=(str(tools.BIN / "micro_uv"),)
    ), True, ""
    for level in LEVELS:
        yield Contender(
            level,
            f"MonitoredUV, {level}",
            (tools.swift_program("uvecho"),),
            ("--level", level),
            (tools.swift_program("dispatches"),),
            counts=level != "off",
        ), True, ""
    yield Contender(
        "nio", "SwiftNIO", (tools.swift_program("nioecho"),), dispatches=(tools.swift_program("niodispatches"),)
    ), True, ""
    watched = (tools.swift_program("watchednioecho"),)
    yield Contender("nio_linked", "SwiftNIO, NIOMonitoring linked", watched), True, ""
    yield Contender("nio_metrics", "SwiftNIO, NIOMonitoring, metrics", watched, ("--level", "metrics")), True, ""
    yield Contender("uvloop", "uvloop", uvloop_echo, (), uvloop_micro), uvloop, no_uvloop
    yield Contender(
        "uvloop_monitored", "uvloop, monitored_ioloop", uvloop_echo, ("--monitor",), uvloop_micro
    ), uvloop, no_uvloop
    yield Contender(
        "node", "Node", ("node", peer("echo_node.js")), (), ("node", peer("micro_node.js"))
    ), node, no_node
    yield Contender(
        "node_monitored",
        "Node, monitorEventLoopDelay",
        ("node", peer("echo_node.js")),
        ("--monitor",),
        ("node", peer("micro_node.js")),
    ), node, no_node
    # With a task for each connection.
    yield Contender("async", "MonitoredUV, tasks, off", (tools.swift_program("asyncecho"),)), True, ""
    yield Contender(
        "async_metrics",
        "MonitoredUV, tasks, metrics",
        (tools.swift_program("asyncecho"),),
        ("--level", "metrics"),
        counts=True,
    ), True, ""
    yield Contender("nio_async", "NIOAsyncChannel", (tools.swift_program("nioasyncecho"),)), True, ""
    yield Contender(
        "uvloop_streams", "uvloop, streams", uvloop_echo, ("--streams",)
    ), uvloop, no_uvloop
    yield Contender(
        "uvloop_streams_monitored",
        "uvloop, streams, monitored_ioloop",
        uvloop_echo,
        ("--streams", "--monitor"),
        counts=True,
    ), uvloop, no_uvloop
