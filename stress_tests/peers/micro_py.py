"""What posted callbacks, timers and tasks cost on uvloop: micro_py.py WHAT COUNT [--monitor]

WHAT: posted_batch, posted_chain, posted_remote, timers, yield. Prints "WHAT wall cpu", nanoseconds for each.
"""

import argparse
import asyncio
import sys
import threading
import time

import loops

arguments = argparse.ArgumentParser()
arguments.add_argument("what", choices=["posted_batch", "posted_chain", "posted_remote", "timers", "yield"])
arguments.add_argument("count", type=int)
arguments.add_argument("--monitor", action="store_true")
options = arguments.parse_args()
count = options.count
loop = loops.make(options.monitor)
ran = 0


def one():
    global ran
    ran += 1
    if ran == count:
        loop.stop()


def chain():
    one()
    if ran < count:
        loop.call_soon(chain)


def batch(left):
    for _ in range(min(1000, left)):
        loop.call_soon(one)
    if left > 1000:
        loop.call_soon(batch, left - 1000)


def timers():
    random = 12345
    for _ in range(count):
        random = (random * 1664525 + 1013904223) & 0xFFFFFFFF
        loop.call_later((1 + (random >> 8) % 100) / 1000, one)


def flood():
    for _ in range(count):
        loop.call_soon_threadsafe(one)


async def give_way():
    for _ in range(count):
        await asyncio.sleep(0)


wall, cpu = time.perf_counter_ns(), time.process_time_ns()
if options.what == "yield":
    loop.run_until_complete(give_way())
else:
    if options.what == "posted_batch":
        loop.call_soon(batch, count)
    elif options.what == "posted_chain":
        loop.call_soon(chain)
    elif options.what == "timers":
        loop.call_soon(timers)
    else:
        threading.Thread(target=flood).start()
    loop.run_forever()
wall, cpu = time.perf_counter_ns() - wall, time.process_time_ns() - cpu
if options.monitor and options.what in ("posted_batch", "posted_chain") and loops.dispatches < count:
    sys.exit(f"the monitor saw {loops.dispatches} of {count} callbacks")
print(options.what, wall / count, cpu / count)
