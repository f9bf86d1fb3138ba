"""uvloop's loop, plain or with a monitor that counts."""

import asyncio
import signal

import uvloop

dispatches = 0


def count(state):
    global dispatches
    dispatches += 1


def make(monitored):
    if monitored:
        from monitored_ioloop.monitored_uvloop import monitored_uvloop_loop_factory

        loop = monitored_uvloop_loop_factory(count)()
    else:
        loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def run_until_terminated(loop, monitored):
    """On SIGTERM says how many callbacks the monitor was told of, and ends."""
    loop.add_signal_handler(signal.SIGTERM, loop.stop)
    print("ready", flush=True)
    loop.run_forever()
    if monitored:
        print("dispatches:", dispatches, flush=True)
