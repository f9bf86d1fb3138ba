"""uvloop's loop, plain or with a monitor that counts."""

import asyncio

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
