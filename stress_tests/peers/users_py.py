"""Answers "ping" at once and "slow" after a while, for many users, on uvloop: users_py.py PORT [--monitor]"""

import argparse
import asyncio

import loops


async def serve(reader, writer):
    try:
        while line := await reader.readline():
            if line == b"slow\n":
                for _ in range(5):
                    await asyncio.sleep(0.02)
            writer.write(b"done\n")
    except ConnectionError:
        pass
    writer.close()


arguments = argparse.ArgumentParser()
arguments.add_argument("port", type=int)
arguments.add_argument("--monitor", action="store_true")
options = arguments.parse_args()

loop = loops.make(options.monitor)
loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", options.port, backlog=1024))
loops.run_until_terminated(loop, options.monitor)
