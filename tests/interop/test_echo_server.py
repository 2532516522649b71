"""Python `websockets`, and bare sockets, as clients of echo_server."""

import asyncio
import contextlib
import os
import socket

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

import peer
from peer import BINARY, CLOSE, CONTINUATION, MIB, PING, PONG, TEXT, close_body, frame, payload

SERVER = os.environ["ECHO_SERVER"]
ADDRESS = SERVER.removeprefix("ws://")
# The same with --max-message-bytes.
SMALL_SERVER = os.environ["SMALL_ECHO_SERVER"]
SMALL = int(os.environ["SMALL_MESSAGE_BYTES"])
KEY = b"\x37\xfa\x21\x3d"


def client(url=SERVER, **options):
    options = {"max_size": None, "ping_interval": None, "proxy": None, "open_timeout": 10} | options
    return connect(url, **options)


class Messages(peer.Test):
    async def test_text(self):
        async with client() as ws:
            for text in ("", "Hello", "κόσμε, grüß dich, 你好, 🦀", "\0", "\ufeff\uffff\U0010ffff", "é" * 40_000):
                await ws.send(text)
                self.assertEqual(await ws.recv(), text)

    async def test_binary_of_every_length_form(self):
        async with client() as ws:
            for size in peer.SIZES:
                await ws.send(payload(size))
                self.assertTrue(await ws.recv() == payload(size), f"{size} bytes")

    async def test_text_of_every_length_form(self):
        async with client() as ws:
            for size in peer.SIZES:
                await ws.send("x" * size)
                self.assertTrue(await ws.recv() == "x" * size, f"{size} bytes")

    async def test_fragments(self):
        async with client() as ws:
            await ws.send(["Hel", "", "lo"])
            self.assertEqual(await ws.recv(), "Hello")
            await ws.send([b"", b""])
            self.assertEqual(await ws.recv(), b"")
            await ws.send([payload(65536)] * 32)
            self.assertTrue(await ws.recv() == payload(65536) * 32)

    async def test_fragments_inside_a_character(self):
        text = "κόσμε 🦀"
        async with client() as ws:
            await ws.send([bytes([byte]) for byte in text.encode()], text=True)
            self.assertEqual(await ws.recv(), text)

    async def test_many_small_messages_in_one_go(self):
        count = 10_000
        async with client() as ws:

            async def send_all():
                for number in range(count):
                    await ws.send(f"message {number}")

            sender = asyncio.create_task(send_all())
            for number in range(count):
                self.assertEqual(await ws.recv(), f"message {number}")
            await sender

    async def test_a_client_that_reads_late(self):
        async with client() as ws:

            async def send_all():
                for number in range(64):
                    await ws.send(bytes([number]) * MIB)

            sender = asyncio.create_task(send_all())
            await asyncio.sleep(0.5)
            for number in range(64):
                self.assertTrue(await ws.recv() == bytes([number]) * MIB, f"message {number}")
            await sender

    async def test_many_connections(self):
        async def one(number):
            async with client() as ws:
                await ws.send(f"connection {number}")
                await asyncio.sleep(0.2)
                self.assertEqual(await ws.recv(), f"connection {number}")

        await asyncio.gather(*(one(number) for number in range(200)))


class Control(peer.Test):
    async def test_pongs(self):
        async with client() as ws:
            for data in (b"", b"a", payload(125)):
                await (await ws.ping(data))

    async def test_ping_between_fragments(self):
        async with client() as ws:

            async def fragments():
                yield "Hel"
                await (await ws.ping(b"in between"))
                yield "lo"

            await ws.send(fragments())
            self.assertEqual(await ws.recv(), "Hello")

    async def test_close_with_code_and_reason(self):
        for code, reason in ((1000, ""), (1001, "going"), (3000, "Grüße"), (4999, "x" * 123)):
            async with client() as ws:
                await ws.close(code, reason)
                received = ws.protocol.close_rcvd
                self.assertEqual((received.code, received.reason), (code, ""))
                self.assertFalse(ws.protocol.close_rcvd_then_sent)

    async def test_close_inside_a_message(self):
        async with raw_client() as (reader, writer):
            writer.write(frame(TEXT, b"half", fin=False, key=KEY) + frame(CLOSE, close_body(1001), key=KEY))
            self.assertEqual(await peer.read_to_end(reader), [(0x88, False, close_body(1001))])


class Handshake(peer.Test):
    async def test_no_subprotocol_is_selected(self):
        async with client(subprotocols=["chat", "superchat"]) as ws:
            self.assertIsNone(ws.subprotocol)
            self.assertNotIn("Sec-WebSocket-Protocol", ws.response.headers)
            await ws.send("a")
            self.assertEqual(await ws.recv(), "a")

    async def test_no_extension_is_negotiated(self):
        async with client(compression="deflate") as ws:
            self.assertIn("permessage-deflate", ws.request.headers["Sec-WebSocket-Extensions"])
            self.assertNotIn("Sec-WebSocket-Extensions", ws.response.headers)
            self.assertEqual(ws.protocol.extensions, [])
            await ws.send("a" * 1000)
            self.assertEqual(await ws.recv(), "a" * 1000)

    async def test_any_path(self):
        async with client(f"{SERVER}/some/where?with=query") as ws:
            await ws.send("a")
            self.assertEqual(await ws.recv(), "a")

    async def test_other_requests(self):
        no_upgrade = dict.fromkeys(("Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"))
        for path, status in (("/", "200"), ("/nothing/here", "404")):
            first, fields = await self.head(path, no_upgrade)
            self.assertEqual(first.split()[1], status)
            if status == "200":
                self.assertIn("text/html", fields["content-type"])

    async def test_refused_handshakes(self):
        first, fields = await self.head("/", {"Sec-WebSocket-Version": "8"})
        self.assertEqual(first.split()[1], "426")
        self.assertEqual(fields["sec-websocket-version"], "13")
        first, _ = await self.head("/", {"Sec-WebSocket-Key": "c2hvcnQ="})
        self.assertEqual(first.split()[1], "400")

    async def head(self, path, fields):
        async with connection() as (reader, writer):
            writer.write(peer.request(ADDRESS, path, fields))
            return await peer.read_head(reader)


class Limits(peer.Test):
    async def test_largest_message_is_echoed(self):
        async with client(SMALL_SERVER) as ws:
            await ws.send(payload(SMALL))
            self.assertTrue(await ws.recv() == payload(SMALL))
            await ws.send([payload(SMALL - 1), b"x", b""])
            self.assertEqual(len(await ws.recv()), SMALL)

    async def test_one_byte_more_is_too_big(self):
        await self.too_big(SMALL_SERVER, payload(SMALL + 1))
        await self.too_big(SMALL_SERVER, [payload(SMALL), b"x"])
        await self.too_big(SERVER, payload(16 * MIB + 1))

    async def test_close_reaches_a_client_that_goes_on_writing(self):
        await self.too_big(SMALL_SERVER, payload(8 * MIB))

    async def too_big(self, url, message):
        ws = await client(url)
        with self.assertRaises(ConnectionClosed) as closed:
            await ws.send(message)
            await ws.recv()
        self.assertIsNotNone(closed.exception.rcvd, "no Close frame came")
        self.assertEqual(closed.exception.rcvd.code, 1009)
        await ws.wait_closed()


class BareClient(peer.Test):
    """What no library would send. Each time the stream ends in order, and is not reset."""

    async def test_one_byte_at_a_time(self):
        frames = (
            frame(TEXT, "κόσμε".encode(), key=KEY)
            + frame(TEXT, fin=False, key=KEY)
            + frame(PING, b"in between", key=KEY)
            + frame(CONTINUATION, b"Hello", key=KEY)
            + frame(BINARY, payload(200), key=KEY)
            + frame(CLOSE, close_body(3000, b"bye"), key=KEY)
        )
        echoes = [
            (0x80 | TEXT, False, "κόσμε".encode()),
            (0x80 | PONG, False, b"in between"),
            (0x80 | TEXT, False, b"Hello"),
            (0x80 | BINARY, False, payload(200)),
            (0x80 | CLOSE, False, close_body(3000)),
        ]
        async with raw_client() as (reader, writer):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in frames:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.001)
            self.assertEqual(await peer.read_to_end(reader), echoes)

    async def fails(self, code, *pieces):
        """These bytes break a rule: the last frame that comes is a Close frame of this code."""
        async with raw_client() as (reader, writer):
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0)
            *before, (first, was_masked, data) = await peer.read_to_end(reader)
        self.assertEqual((first, was_masked), (0x88, False))
        self.assertEqual(int.from_bytes(data[:2], "big"), code)
        return before

    async def test_unmasked_frame(self):
        await self.fails(1002, frame(TEXT, b"Hello"))

    async def test_reserved_bits(self):
        for rsv in (1, 2, 4):
            await self.fails(1002, frame(TEXT, b"Hello", rsv=rsv, key=KEY))

    async def test_reserved_opcodes(self):
        for opcode in (3, 7, 11, 15):
            await self.fails(1002, frame(opcode, key=KEY))

    async def test_lengths(self):
        await self.fails(1002, b"\x82\xfe\x00\x7d")
        await self.fails(1002, b"\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff")
        await self.fails(1002, b"\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00")
        await self.fails(1009, b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff")

    async def test_fragmentation(self):
        await self.fails(1002, frame(CONTINUATION, b"of nothing", key=KEY))
        await self.fails(1002, frame(TEXT, b"one", fin=False, key=KEY), frame(TEXT, b"two", key=KEY))

    async def test_control_frames(self):
        await self.fails(1002, frame(PING, fin=False, key=KEY))
        await self.fails(1002, frame(PING, bytes(126), key=KEY))
        await self.fails(1002, frame(CLOSE, b"x", key=KEY))
        await self.fails(1002, frame(CLOSE, close_body(1005), key=KEY))
        await self.fails(1007, frame(CLOSE, close_body(1000, b"\xff"), key=KEY))

    async def test_text_that_is_not_utf_8(self):
        await self.fails(1007, frame(TEXT, b"\xed\xa0\x80", key=KEY))
        # Before the message is complete.
        await self.fails(1007, frame(TEXT, b"abc\xff", fin=False, key=KEY))

    async def test_earlier_messages_are_echoed_first(self):
        before = await self.fails(1002, frame(TEXT, b"a", key=KEY) + frame(PING, b"b", key=KEY) + frame(3, key=KEY))
        self.assertEqual(before, [(0x81, False, b"a"), (0x80 | PONG, False, b"b")])

    async def test_much_more_behind_the_violation(self):
        await self.fails(1002, frame(TEXT, b"Hello", rsv=4, key=KEY), *[bytes(65536)] * 16)

    async def test_much_more_behind_the_close(self):
        async with raw_client() as (reader, writer):
            writer.write(frame(CLOSE, key=KEY) + bytes(MIB))
            self.assertEqual(await peer.read_to_end(reader), [(0x88, False, b"")])

    async def test_end_of_stream_without_a_close(self):
        for left_over in (b"", frame(BINARY, payload(100), key=KEY)[:50]):
            async with raw_client() as (reader, writer):
                writer.write(left_over)
                writer.write_eof()
                await peer.read_to_end(reader)

    async def test_the_server_goes_on_after_a_reset(self):
        async with raw_client() as (_, writer):
            writer.write(frame(TEXT, b"Hello", key=KEY) * 100)
            writer.transport.abort()
        async with client() as ws:
            await ws.send("still there")
            self.assertEqual(await ws.recv(), "still there")


@contextlib.asynccontextmanager
async def connection():
    host, _, port = ADDRESS.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()


@contextlib.asynccontextmanager
async def raw_client():
    async with connection() as (reader, writer):
        writer.write(peer.request(ADDRESS))
        first, _ = await peer.read_head(reader)
        assert first.split()[1] == "101", first
        yield reader, writer


if __name__ == "__main__":
    peer.main()
