"""resilient_client: its server is killed, restarted, stopped, and says no."""

import asyncio
import contextlib
import http
import re
import signal

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

import peer
from peer import CLOSE, close_body, frame
from program import Program, Server

# So that it comes back soon enough for a test.
SOON = ("--max-delay-ms", 200)


def numbered(message):
    """The number of a message, whether it is said to be sent again, and its line."""
    number, again, line = re.fullmatch(r"(\d+)(\*?) (.*)", message).groups()
    return int(number), again == "*", line


class EchoServer(peer.Test):
    async def test_all_lines(self):
        lines = [f"line {i} κόσμε" for i in range(5000)] + ["", "the last has no end"]
        async with Server("echo_server") as server, Program("resilient_client", server.url) as program:
            program.process.stdin.write("\n".join(lines).encode())
            program.end_stdin()
            self.assertEqual(await program.ended(), (0, lines))
            await server.says("closed with 1000, clean")
            self.assertFalse([line for line in program.stderr if "again" in line or " dropped:" in line])

    async def test_kills_and_restarts(self):
        lines = [f"line {i}" for i in range(300)]
        async with Server("echo_server") as first:
            port, url = first.port, first.url
            async with Program("resilient_client", url, *SOON) as program:
                typing = asyncio.create_task(self.type_slowly(program, lines))
                await asyncio.sleep(0.5)
                await first.kill()
                for number in (signal.SIGKILL, signal.SIGTERM):
                    await asyncio.sleep(0.5)
                    async with Server("echo_server", port=port) as server:
                        await server.says("open")
                        await asyncio.sleep(0.5)
                        server.signal(number)
                        await server.process.wait()
                await asyncio.sleep(0.3)
                async with Server("echo_server", port=port) as server:
                    await typing
                    self.assertEqual(await program.ended(), (0, lines))
                    await server.says("closed with 1000, clean")

    async def type_slowly(self, program, lines):
        for line in lines:
            await program.type(line)
            await asyncio.sleep(0.01)
        program.end_stdin()

    async def test_bounded_queue(self):
        async with Server("echo_server") as server:
            port, url = server.port, server.url
        async with Program("resilient_client", url, "--queue", 5, *SOON) as program:
            await program.says("waiting")
            await program.type(*range(1, 9))
            for number in (6, 7, 8):
                await program.says(f"{number} is dropped: the queue is full")
            async with Server("echo_server", port=port):
                program.end_stdin()
                self.assertEqual(await program.ended(), (0, ["1", "2", "3", "4", "5"]))

    async def test_interrupted(self):
        async with Server("echo_server") as server, Program("resilient_client", server.url) as program:
            await program.type("one")
            self.assertEqual(await program.line(), "one")
            program.signal(signal.SIGINT)
            self.assertEqual(await program.ended(), (0, []))
            await server.says("closed with 1001, clean")

    async def test_interrupted_while_away(self):
        async with Server("echo_server") as server:
            url = server.url
        async with Program("resilient_client", url) as program:
            await program.type("one")
            await program.says("waiting")
            program.signal(signal.SIGINT)
            self.assertEqual(await program.ended(), (0, []))
            self.assertIn("1 lines were not acknowledged", program.stderr)

    async def test_server_that_hangs(self):
        options = ("--ping-interval-s", 1, *SOON)
        async with Server("echo_server") as server, Program("resilient_client", server.url, *options) as program:
            await program.type("one")
            self.assertEqual(await program.line(), "one")
            server.signal(signal.SIGSTOP)
            await program.type("two")
            await program.says("the connection was lost")
            server.signal(signal.SIGCONT)
            program.end_stdin()
            self.assertEqual(await program.ended(), (0, ["two"]))
            self.assertIn("2 is sent again: it may have been received before", program.stderr)


class OtherServers(peer.Test):
    async def test_nothing_is_sent_twice_silently(self):
        """The first connections break after some messages, of which only some were echoed."""
        connections, received, lines = 0, [], [f"line {i}" for i in range(1, 301)]

        async def handler(ws):
            nonlocal connections
            connections += 1
            echoed = 7 * (connections % 5) if connections < 12 else len(lines)
            with contextlib.suppress(ConnectionClosed):
                for i in range(echoed + 13):
                    received.append(await ws.recv())
                    if i < echoed:
                        await ws.send(received[-1])
                ws.transport.abort()

        async with serve(handler, "127.0.0.1", 0, ping_interval=None) as server:
            port = server.sockets[0].getsockname()[1]
            async with Program("resilient_client", f"ws://127.0.0.1:{port}/", "--max-delay-ms", 50) as program:
                await program.type(*lines)
                program.end_stdin()
                self.assertEqual(await program.ended(), (0, lines))
        self.assertEqual(connections, 12)
        seen, twice = set(), 0
        for number, again, line in map(numbered, received):
            self.assertEqual(line, f"line {number}")
            if again:
                self.assertIn(f"{number} is sent again: it may have been received before", program.stderr)
            elif number in seen:
                self.fail(f"{number} came again, and did not say so")
            twice += number in seen
            seen.add(number)
        self.assertEqual(seen, set(range(1, len(lines) + 1)))
        self.assertGreater(twice, 50)

    async def test_sent_away_with_a_reset_while_it_sends(self):
        """What its server said last is read though writing fails first."""
        connections = []

        async def handler(reader, writer):
            _, fields = await peer.read_head(reader)
            accept = peer.accept_value(fields["sec-websocket-key"])
            writer.write(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
            )
            writer.transport.pause_reading()
            connections.append(writer)

        async with await asyncio.start_server(handler, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with Program("resilient_client", f"ws://127.0.0.1:{port}/", *SOON) as program:
                # More than goes out to a server that does not read.
                await program.type(*["x" * 600_000] * 16)
                while not connections:
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.5)
                program.signal(signal.SIGSTOP)
                connections[0].write(frame(CLOSE, close_body(1008)))
                await asyncio.sleep(0.1)
                connections[0].transport.abort()  # what was not read makes it a reset
                program.signal(signal.SIGCONT)
                self.assertEqual(await program.ended(), (1, []))
        self.assertEqual(len(connections), 1)

    async def with_answers(self, answers, *options):
        """Runs it against a server that answers requests with these HTTP statuses, and then echoes."""
        requests = []

        def process_request(connection, request):
            requests.append(request.headers.get("Authorization"))
            status = answers.pop(0) if answers else None
            return status and connection.respond(status, "no\n")

        async def echo(ws):
            async for message in ws:
                await ws.send(message)

        async with serve(echo, "127.0.0.1", 0, process_request=process_request) as server:
            port = server.sockets[0].getsockname()[1]
            async with Program("resilient_client", f"ws://127.0.0.1:{port}/", *SOON, *options) as program:
                await program.type("hello")
                program.end_stdin()
                return *await program.ended(), requests

    async def test_token(self):
        code, lines, requests = await self.with_answers([], "--token", "secret")
        self.assertEqual((code, lines, requests), (0, ["hello"], ["Bearer secret"]))

    async def test_refused_for_good(self):
        code, lines, requests = await self.with_answers([http.HTTPStatus.UNAUTHORIZED])
        self.assertEqual((code, lines, requests), (1, [], [None]))

    async def test_refused_for_now(self):
        code, lines, requests = await self.with_answers([http.HTTPStatus.SERVICE_UNAVAILABLE] * 2)
        self.assertEqual((code, lines, requests), (0, ["hello"], [None] * 3))


if __name__ == "__main__":
    peer.main()
