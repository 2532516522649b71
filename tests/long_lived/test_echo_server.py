"""echo_server over time: heartbeat, idle timeout, limits, memory, shutdown."""

import asyncio
import os
import re
import resource
import signal
import time

from websockets.exceptions import ConnectionClosed, InvalidStatus

import peer
from peer import BINARY, CLOSE, PING, PONG, TEXT, close_body, frame
from program import Program, Server, client, raw

KEY = b"\x37\xfa\x21\x3d"


class Timers(peer.Test):
    async def test_heartbeat(self):
        async with Server("echo_server", "--ping-interval-s", 1) as server, raw(server) as (reader, writer):
            for _ in range(2):
                start = time.monotonic()
                opcode, masked, data = await peer.read_frame(reader)
                self.assertEqual((opcode, masked), (0x80 | PING, False))
                self.assertTrue(0.9 < time.monotonic() - start < 2.9, "a second of silence")
                writer.write(frame(PONG, data, key=KEY))
            # From here on there is no answer.
            opcode, _, _ = await peer.read_frame(reader)
            self.assertEqual(opcode, 0x80 | PING)
            start = time.monotonic()
            self.assertIsNone(await peer.read_frame(reader))
            self.assertTrue(0.9 < time.monotonic() - start < 2.9, "dropped a second after the Ping")

    async def test_messages_are_signs_of_life(self):
        async with Server("echo_server", "--ping-interval-s", 1) as server, raw(server) as (reader, writer):
            for _ in range(8):
                await asyncio.sleep(0.3)
                writer.write(frame(TEXT, b"hi", key=KEY))
                self.assertEqual(await peer.read_frame(reader), (0x80 | TEXT, False, b"hi"))

    async def test_no_heartbeat(self):
        async with Server("echo_server", "--ping-interval-s", 0) as server, raw(server) as (reader, _):
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(reader.read(1), 2)

    async def test_idle_timeout(self):
        options = ("--ping-interval-s", 0, "--idle-timeout-s", 1)
        async with Server("echo_server", *options) as server, raw(server) as (reader, writer):
            await asyncio.sleep(0.6)
            writer.write(frame(TEXT, b"hi", key=KEY))
            self.assertEqual(await peer.read_frame(reader), (0x80 | TEXT, False, b"hi"))
            start = time.monotonic()
            self.assertEqual(await peer.read_frame(reader), (0x80 | CLOSE, False, close_body(1001)))
            self.assertTrue(0.9 < time.monotonic() - start < 2.9, "a second after the message")
            writer.write(frame(CLOSE, close_body(1001), key=KEY))
            self.assertIsNone(await peer.read_frame(reader))
            await server.says("closed with 1001, clean")

    async def test_unfinished_request(self):
        async with Server("echo_server") as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET / HTTP/1.1\r\n")
            start = time.monotonic()
            self.assertEqual(await reader.read(), b"")
            self.assertTrue(9.5 < time.monotonic() - start < 11.5, "10 s after it was connected")
            writer.close()


class Pages(peer.Test):
    """Plain HTTP on the same port."""

    async def answer(self, server, *lines):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write("".join(f"{line}\r\n" for line in (*lines, "")).encode())
        status, fields = await peer.read_head(reader)
        body = await reader.read()
        writer.close()
        return status.split()[1], fields.get("content-length"), len(body)

    async def test_page(self):
        async with Server("echo_server") as server:
            status, length, body = await self.answer(server, "GET / HTTP/1.1", "Host: a")
            self.assertEqual((status, int(length)), ("200", body))
            self.assertGreater(body, 1000)
            self.assertEqual(await self.answer(server, "HEAD / HTTP/1.1", "Host: a"), ("200", length, 0))
            for line in "GET http://a/ HTTP/1.1", "GET http://a HTTP/1.1":
                self.assertEqual(await self.answer(server, line, "Host: a"), ("200", length, body))
            self.assertEqual((await self.answer(server, "GET /there HTTP/1.1", "Host: a"))[0], "404")
            for hosts in (), ("Host: a", "Host: b"):
                self.assertEqual(await self.answer(server, "HEAD / HTTP/1.1", *hosts), ("400", "0", 0))
            self.assertEqual((await self.answer(server, "GET / HTTP/1.0"))[0], "200")


class Limits(peer.Test):
    async def test_max_connections(self):
        async with Server("echo_server", "--max-connections", 2) as server:
            async with client(server.url) as first, client(server.url) as second:
                with self.assertRaises(InvalidStatus) as refused:
                    await client(server.url)
                self.assertEqual(refused.exception.response.status_code, 503)
                await second.close()
                await server.says("closed with 1000")
                async with client(server.url) as third:
                    for ws in (first, third):
                        await ws.send("still here")
                        self.assertEqual(await ws.recv(), "still here")

    async def test_rate(self):
        count, rate = 100, 40
        async with Server("echo_server", "--rate", rate) as server, client(server.url) as ws:
            start = time.monotonic()
            # In one write, so that one read of the server holds many: none of them may be lost.
            ws.transport.write(b"".join(frame(TEXT, b"%d" % i, key=KEY) for i in range(count)))
            for i in range(count):
                self.assertEqual(await ws.recv(), str(i))
            seconds = time.monotonic() - start
            self.assertGreater(seconds, (count - rate - 1) / rate - 0.1)
            self.assertLess(seconds, count / rate + 1)
            async with client(server.url) as other:
                await other.send("not slowed down")
                await asyncio.wait_for(other.recv(), 1)

    async def test_rate_and_a_peer_that_does_not_read(self):
        async with Server("echo_server", "--rate", 1) as server, raw(server) as (_, writer):
            # The pause after the second one is over while its echo waits.
            for payload in b"short", bytes(8 << 20):
                writer.write(frame(BINARY, payload, key=KEY))
            await asyncio.sleep(2)
            before = cpu_seconds(server)
            await asyncio.sleep(2)
            self.assertLess(cpu_seconds(server) - before, 1)

    async def test_rate_and_shutdown(self):
        async with Server("echo_server", "--rate", 1) as server, client(server.url) as ws:
            for i in range(20):
                await ws.send(str(i))
            await asyncio.sleep(0.2)
            server.signal(signal.SIGTERM)
            self.assertEqual(await server.ended(), (0, ["closed 1 connections, 1 clean"]))


def cpu_seconds(program):
    """Time of the processor that it has had."""
    with open(f"/proc/{program.process.pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Memory(peer.Test):
    """What an idle connection costs that has compressed messages behind it."""

    async def per_connection(self, option, count=300):
        """Resident bytes of the server for each connection beyond the first."""
        arguments = ("--connections", count, "--seconds", 1, "--bytes", 1000, "--deflate", "--steps")
        async with Server("echo_server", "--quiet", option) as server:
            async with Program("load", server.url, *arguments) as load:
                self.assertEqual(await load.line(), "open 1")
                first = resident_bytes(server)
                await load.type("")
                self.assertEqual(await load.line(), f"open {count}")
                await load.type("")
                echoed = re.fullmatch(r"echoed (\d+) in .* s", await load.line())
                self.assertGreater(int(echoed[1]), count)
                all_of_them = resident_bytes(server)
                await load.type("", "")
                self.assertEqual(await load.ended(), (0, [f"closed {count}, {count} clean"]))
        return (all_of_them - first) // (count - 1)

    async def test_contexts_taken_over(self):
        self.assertIn(await self.per_connection("--deflate"), range(30_000, 600_000))

    async def test_no_contexts(self):
        self.assertLess(await self.per_connection("--deflate-no-context"), 8000)


def resident_bytes(program):
    with open(f"/proc/{program.process.pid}/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


class Shutdown(peer.Test):
    async def test_sigterm(self):
        async with Server("echo_server") as server:
            clients = await asyncio.gather(*(client(server.url) for _ in range(50)))
            # Half of them keep talking, so that messages cross the Close frames.
            talks = [asyncio.create_task(self.talk(ws)) for ws in clients[::2]]
            await asyncio.sleep(0.3)
            server.signal(signal.SIGTERM)
            start = time.monotonic()
            self.assertEqual(await server.ended(), (0, ["closed 50 connections, 50 clean"]))
            self.assertLess(time.monotonic() - start, 4)
            for ws in clients:
                await ws.wait_closed()
                self.assertEqual(ws.protocol.close_rcvd.code, 1001)
            await asyncio.gather(*talks)

    async def talk(self, ws):
        try:
            while True:
                await ws.send("x" * 1000)
                await ws.recv()
        except ConnectionClosed:
            pass

    async def test_peer_that_does_not_answer(self):
        async with Server("echo_server") as server, raw(server) as (reader, _):
            server.signal(signal.SIGINT)
            start = time.monotonic()
            self.assertEqual(await peer.read_frame(reader), (0x80 | CLOSE, False, close_body(1001)))
            self.assertEqual(await server.ended(), (0, ["closed 1 connections, 0 clean"]))
            self.assertTrue(4.5 < time.monotonic() - start < 7, "waits 5 s")

    async def test_second_signal(self):
        async with Server("echo_server") as server, raw(server) as (reader, _):
            server.signal(signal.SIGINT)
            await peer.read_frame(reader)
            server.signal(signal.SIGINT)
            self.assertEqual(await asyncio.wait_for(server.ended(), 2), (0, ["closed 1 connections, 0 clean"]))

    async def test_nobody_there(self):
        async with Server("echo_server") as server:
            server.signal(signal.SIGTERM)
            self.assertEqual(await server.ended(), (0, ["closed 0 connections, 0 clean"]))


if __name__ == "__main__":
    peer.main()
