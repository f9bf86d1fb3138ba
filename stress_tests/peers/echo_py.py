"""A TCP echo server on uvloop, monitored by monitored_ioloop or not: echo_py.py PORT [--monitor] [--streams]

It echoes with a protocol, or with --streams in a task for each connection. On SIGTERM it says how many callbacks the
monitor was told of, and ends.
"""

import argparse
import asyncio

import loops


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def serve(reader, writer):
    try:
        while data := await reader.read(1_000_000):
            writer.write(data)
    except ConnectionError:
        pass
    writer.close()


arguments = argparse.ArgumentParser()
arguments.add_argument("port", type=int)
arguments.add_argument("--monitor", action="store_true")
arguments.add_argument("--streams", action="store_true")
options = arguments.parse_args()

loop = loops.make(options.monitor)
if options.streams:
    loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", options.port, backlog=1024))
else:
    loop.run_until_complete(loop.create_server(Echo, "127.0.0.1", options.port, backlog=1024))
loops.run_until_terminated(loop, options.monitor)
