"""The programs under test, and the tests' way to talk to them."""

import asyncio
import contextlib
import os
import re
import signal

from websockets.asyncio.client import connect

import peer


def client(url, **options):
    options = {"max_size": None, "ping_interval": None, "proxy": None, "open_timeout": 10} | options
    return connect(url, **options)


class Program:
    """An example as a process, ended when its `async with` is."""

    def __init__(self, name, *arguments, program=None):
        self.command = [program or os.path.join(os.environ["EXAMPLES"], name), *map(str, arguments)]

    async def __aenter__(self):
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(*self.command, stdin=pipe, stdout=pipe, stderr=pipe)
        self.stderr = []
        self._reader = asyncio.create_task(self._read_stderr())
        return self

    async def __aexit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        await self._reader

    async def _read_stderr(self):
        async for line in self.process.stderr:
            self.stderr.append(line.decode().rstrip("\n"))

    def signal(self, number):
        self.process.send_signal(number)

    async def line(self):
        """The next line on its stdout."""
        return (await self.process.stdout.readline()).decode().rstrip("\n")

    async def lines(self):
        """The rest of its stdout, to the end."""
        return (await self.process.stdout.read()).decode().splitlines()

    async def says(self, text):
        """Waits for a line on stderr with this in it."""
        while not any(text in line for line in self.stderr):
            await asyncio.sleep(0.01)

    async def type(self, *lines):
        self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())
        await self.process.stdin.drain()

    def end_stdin(self):
        self.process.stdin.close()

    async def ended(self):
        """Its exit code, and all it said on stdout since."""
        lines = await self.lines()
        code = await self.process.wait()
        await self._reader
        return code, lines


class Server(Program):
    """A server that prints its URL; with a port, at the same address as one before."""

    def __init__(self, name, *arguments, port=0, program=None):
        address = f"127.0.0.1:{port}"
        first = [address] if name == "handover" else ["--addr", address]
        super().__init__(name, *first, *arguments, program=program)

    async def __aenter__(self):
        await super().__aenter__()
        line = await self.line()
        found = re.search(r"ws://127\.0\.0\.1:(\d+)", line)
        assert found, (line, self.stderr)
        self.url, self.port = found[0], int(found[1])
        return self

    async def kill(self):
        self.signal(signal.SIGKILL)
        await self.process.wait()


@contextlib.asynccontextmanager
async def raw(server):
    """A bare socket behind the opening handshake."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(peer.request(f"127.0.0.1:{server.port}"))
        status, _ = await peer.read_head(reader)
        assert status.startswith("HTTP/1.1 101"), status
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
