"""Whether the measurements would notice."""

from .. import contenders, servers, summaries
from ..aims import Aim
from ..contenders import Contender
from ..failures import BlindMonitor, Failure

NAME = "sanity"
TITLE = "whether a slowed server and a blind monitor are found out"
WASTE = 20_000  # nanoseconds for each message


def seconds(size):
    return 6


def measure(run):
    good = contenders.named("off")[0]
    slowed = Contender("slowed", "MonitoredUV, slowed", good.echo, ("--waste", str(WASTE)))
    values = {good.name: {}, slowed.name: {}}
    with servers.running([good, slowed]) as running:
        for number in range(4):
            for name, server in running.items():
                server.resume()
                # -v: every byte of the echo is compared.
                values[name][number] = servers.load(server, 10, 1024, "-v", "-t", 0.3, "-w", 0.1)["cpu_ns"]
                server.pause()
    ratio = summaries.ratios(values["slowed"], values["off"])
    if not Aim.of_ratio("slowed / off", ratio, 1.05).is_failed:
        raise Failure(f"a server that wastes {WASTE} ns with each message passed for a good one: {ratio}")
    return {
        "waste_ns": WASTE,
        "measured_ns": summaries.differences(values["slowed"], values["off"]),
        "ratio": ratio,
        "blind_monitor": _expect_blindness_to_fail(good),
    }


def _expect_blindness_to_fail(blind):
    """A server without a monitor that is measured as if it had one."""
    pretender = Contender("pretender", blind.label, blind.echo, blind.options, counts=True)
    try:
        with servers.running([pretender]) as running:
            running["pretender"].resume()
            servers.load(running["pretender"], 1, 1024, "-k", 100)
    except BlindMonitor as failure:
        return str(failure)
    raise Failure("a monitor that saw nothing was not found out")


def tables(data):
    return [
        f"A server that wastes {data['waste_ns']:,} ns with each message was measured as "
        f"{summaries.text(data['measured_ns'], ',.0f')} ns slower, which fails the run. A monitor that saw nothing fails it, too: "
        f"“{data['blind_monitor']}”."
    ]


def aims(data):
    return []
