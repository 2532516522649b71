"""permessage-deflate: Python `websockets`, and zlib over bare sockets, as clients of echo_server."""

import asyncio
import contextlib
import os
import random
import zlib

from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

import deflate
import peer
from deflate import KEY, RSV1, WINDOWS, Reader, header
from peer import BINARY, CONTINUATION, MIB, PING, TEXT, frame

SERVER = os.environ["DEFLATE_SERVER"]
NO_CONTEXT_SERVER = os.environ["NO_CONTEXT_SERVER"]
# With --deflate and --max-message-bytes.
SMALL_SERVER = os.environ["SMALL_DEFLATE_SERVER"]
SMALL = int(os.environ["SMALL_MESSAGE_BYTES"])
SERVER_NO_CONTEXT, CLIENT_NO_CONTEXT = "server_no_context_takeover", "client_no_context_takeover"
NO_CONTEXT = (SERVER_NO_CONTEXT, CLIENT_NO_CONTEXT)


def client(url=SERVER, **parameters):
    offer = ClientPerMessageDeflateFactory(**parameters)
    return connect(
        url,
        compression=None,
        extensions=[offer],
        max_size=None,
        ping_interval=None,
        proxy=None,
        open_timeout=10,
    )


class Library(peer.Test):
    async def agrees(self, ws, *parameters):
        self.assertEqual(ws.response.headers["Sec-WebSocket-Extensions"], header(*parameters))
        self.assertEqual(len(ws.protocol.extensions), 1)

    async def echoes(self, ws, sizes=deflate.SIZES):
        for message in deflate.messages(sizes):
            await ws.send(message)
            self.assertTrue(await ws.recv() == message, f"{len(message)} {type(message)}")

    async def test_all_sizes(self):
        async with client() as ws:
            await self.agrees(ws)
            await self.echoes(ws)

    async def test_all_sizes_without_context(self):
        async with client(NO_CONTEXT_SERVER) as ws:
            await self.agrees(ws, *NO_CONTEXT)
            await self.echoes(ws)

    async def test_contexts(self):
        for url in (SERVER, NO_CONTEXT_SERVER):
            for names in deflate.both_ways(*NO_CONTEXT):
                async with client(url, **dict.fromkeys(names, True)) as ws:
                    agreed = NO_CONTEXT if url == NO_CONTEXT_SERVER else names
                    await self.agrees(ws, *agreed)
                    await self.echoes(ws, (0, 63, 64, 1000, 70_000))

    async def test_windows(self):
        for bits in WINDOWS:
            async with client(server_max_window_bits=bits, client_max_window_bits=bits) as ws:
                expected = [f"server_max_window_bits={bits}"]
                # The largest is what goes without saying.
                expected += [f"client_max_window_bits={bits}"] if bits < 15 else []
                await self.agrees(ws, *expected)
                await self.echoes(ws, (64, 1000, 70_000))

    async def test_window_that_no_compressor_has(self):
        async with client(server_max_window_bits=8) as ws:
            self.assertNotIn("Sec-WebSocket-Extensions", ws.response.headers)
            await self.echoes(ws, (64, 1000))

    async def test_fragments_and_pings(self):
        whole = deflate.lines(10_000)
        for url in (SERVER, NO_CONTEXT_SERVER):
            async with client(url) as ws:

                async def fragments():
                    for start in range(0, len(whole), 997):
                        yield whole[start : start + 997]
                        await (await ws.ping(b"in between"))

                for _ in range(3):
                    await ws.send(fragments())
                    self.assertEqual(await ws.recv(), whole)
                await ws.send([deflate.noise(1000), b"", deflate.noise(70_000, 2)])
                self.assertTrue(await ws.recv() == deflate.noise(1000) + deflate.noise(70_000, 2))

    async def test_many_connections_share_a_pool(self):
        async def one(number):
            async with client(NO_CONTEXT_SERVER) as ws:
                text = deflate.lines(2000 + number)
                for _ in range(5):
                    # The first half waits in a message of its own connection while others have their turns.
                    async def halves():
                        yield text[:1000]
                        await asyncio.sleep(0.02)
                        yield text[1000:]

                    await ws.send(halves())
                    self.assertEqual(await ws.recv(), text)

        await asyncio.gather(*(one(number) for number in range(100)))


class Zlib(peer.Test):
    """Whatever zlib can write is read, and what comes back is read by zlib."""

    async def differential(self, url, offer, agreed, bits=15, takes_over=True, sizes=(0, 1, 100, 5000, 70_000)):
        count = 0
        draw = random.Random(f"{url} {offer}").randrange
        async with negotiated(url, offer, agreed) as (reader, writer):
            reader = Reader(reader, bits, takes_over)
            for size in sizes:
                for data, opcode in ((deflate.lines(size).encode(), TEXT), (deflate.noise(size), BINARY)):
                    for way, payload in deflate.ways(data):
                        cuts = [draw(len(payload) + 1) for _ in range(draw(4))]
                        writer.write(deflate.frames(opcode, payload, cuts, KEY, ping=b"p"))
                        self.assertTrue(await reader.message() == (opcode, data), f"{way}, {size} bytes, {cuts}")
                        count += 1
        self.assertEqual(reader.compressed + reader.plain, count)
        self.assertGreater(reader.compressed, count // 4)
        self.assertGreater(reader.pongs, 0)

    async def test_contexts_taken_over(self):
        await self.differential(SERVER, header(), header())

    async def test_no_contexts(self):
        await self.differential(NO_CONTEXT_SERVER, header(), header(*NO_CONTEXT), takes_over=False)

    async def test_windows(self):
        for bits in WINDOWS:
            limit = f"server_max_window_bits={bits}"
            await self.differential(SERVER, header(limit), header(limit), bits, sizes=(5000,))
            await self.differential(
                NO_CONTEXT_SERVER, header(limit), header(*NO_CONTEXT, limit), bits, False, sizes=(5000,)
            )

    async def test_large(self):
        async with negotiated(SERVER, header(), header()) as (reader, writer):
            reader = Reader(reader)
            for data in (deflate.lines(MIB).encode(), deflate.noise(MIB), bytes(MIB)):
                for payload in (deflate.flushed(data), deflate.finished(data), deflate.stored_by_hand(data)):
                    writer.write(deflate.frames(BINARY, payload, (1, 2, 70_000 % len(payload)), KEY))
                    self.assertTrue(await reader.message() == (BINARY, data))
        self.assertEqual(reader.compressed, 9)

    async def test_context_of_the_client(self):
        """One compressor for all messages: each refers to those before, through final and stored blocks too."""
        async with negotiated(SERVER, header(), header()) as (reader, writer):
            reader = Reader(reader)
            compressor = zlib.compressobj(9, wbits=-15)
            sizes = []
            for number in range(200):
                data = deflate.noise(1000, seed=number % 7)
                payload = (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(deflate.TAIL)
                sizes.append(len(payload))
                writer.write(deflate.frames(BINARY, payload, (), KEY))
                if number % 3 == 0:  # one that is not compressed leaves the window alone
                    writer.write(frame(TEXT, b"plain", key=KEY))
                self.assertTrue(await reader.message() == (BINARY, data), f"message {number}")
                if number % 3 == 0:
                    self.assertEqual(await reader.message(), (TEXT, b"plain"))
        self.assertGreater(min(sizes[:7]), 1000)
        self.assertLess(max(sizes[7:]), 100)
        self.assertEqual(reader.compressed, 200)

    async def test_context_of_the_server(self):
        """It refers to messages before, or not, as agreed; and does not send longer what it need not compress."""
        data = deflate.noise(1000)
        for url, agreed, compressed, most in (
            (SERVER, header(), 10, 100),
            (NO_CONTEXT_SERVER, header(*NO_CONTEXT), 0, 1000),
        ):
            async with negotiated(url, header(), agreed) as (reader, writer):
                lengths, bits = [], 0
                for _ in range(10):
                    writer.write(frame(BINARY, data, key=KEY))
                    first, _, payload = await peer.read_frame(reader)
                    lengths.append(len(payload))
                    bits += first >> 6 & 1
                self.assertEqual(bits, compressed)
                self.assertLessEqual(max(lengths[1:]), most)

    async def test_one_byte_at_a_time(self):
        data = deflate.lines(300).encode()
        async with negotiated(SERVER, header(), header()) as (reader, writer):
            reader = Reader(reader)
            for payload in (deflate.flushed(data), deflate.finished(data), deflate.of_many_streams(data)):
                cuts = range(1, len(payload), 5)
                for byte in deflate.frames(TEXT, payload, cuts, KEY, ping=b""):
                    writer.write(bytes([byte]))
                    await asyncio.sleep(0)
                self.assertEqual(await reader.message(), (TEXT, data))


class Offers(peer.Test):
    async def test_offers(self):
        for offer, agreed in (
            ("permessage-deflate; unknown", None),
            ("permessage-deflate; server_max_window_bits=8", None),
            ("permessage-deflate; server_max_window_bits=16", None),
            ("permessage-deflate; server_max_window_bits", None),
            ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", None),
            ("x-webkit-deflate-frame, permessage-deflate", header()),
            ("permessage-deflate; server_max_window_bits=8, permessage-deflate", header()),
            ('permessage-deflate; server_max_window_bits="10"', header("server_max_window_bits=10")),
            ("permessage-deflate; client_max_window_bits=10", header("client_max_window_bits=10")),
            ("permessage-deflate; client_max_window_bits", header()),
        ):
            async with negotiated(SERVER, offer, agreed) as (reader, writer):
                writer.write(frame(TEXT, b"still there", key=KEY))
                self.assertEqual(await peer.read_frame(reader), (0x80 | TEXT, False, b"still there"))


class Violations(peer.Test):
    async def fails(self, code, *pieces, url=SERVER):
        async with negotiated(url, header(), header()) as (reader, writer):
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0)
            *_, (first, _, data) = await peer.read_to_end(reader)
        self.assertEqual(first, 0x88)
        self.assertEqual(int.from_bytes(data[:2], "big"), code)

    async def test_reserved_bits(self):
        await self.fails(1002, frame(PING, rsv=RSV1, key=KEY))
        part = deflate.flushed(b"Hello" * 20)
        start = frame(TEXT, part[:3], fin=False, rsv=RSV1, key=KEY)
        await self.fails(1002, start, frame(CONTINUATION, part[3:], rsv=RSV1, key=KEY))
        for rsv in (1, 2, 5):
            await self.fails(1002, frame(TEXT, part, rsv=rsv, key=KEY))

    async def test_data_that_is_not_deflate(self):
        good = deflate.flushed(deflate.lines(1000).encode())
        for payload in (
            b"\x07",
            good[:-5],
            zlib.compress(b"Hello"),
            b"\x00\x01\x00\x00\x00A\x00",
            # Refers to a message that there was not.
            b"\xf2\x00\x11\x00\x00",
        ):
            await self.fails(1007, frame(TEXT, payload, rsv=RSV1, key=KEY))

    async def test_text_that_is_not_utf_8(self):
        await self.fails(1007, frame(TEXT, deflate.flushed(b"a" * 100 + b"\xff"), rsv=RSV1, key=KEY))
        await self.fails(1007, frame(TEXT, deflate.flushed("κ".encode()[:1]), rsv=RSV1, key=KEY))

    async def test_sizes(self):
        async with negotiated(SMALL_SERVER, header(), header()) as (reader, writer):
            reader = Reader(reader)
            for data in (bytes(SMALL), deflate.noise(SMALL)):
                writer.write(frame(BINARY, deflate.flushed(data), rsv=RSV1, key=KEY))
                self.assertTrue(await reader.message() == (BINARY, data))
        for size in (SMALL + 1, 64 * MIB):
            bomb = deflate.flushed(bytes(size))
            await self.fails(1009, frame(BINARY, bomb, rsv=RSV1, key=KEY), url=SMALL_SERVER)
            cut = len(bomb) // 2
            await self.fails(1009, deflate.frames(BINARY, bomb, (cut,), KEY), url=SMALL_SERVER)


@contextlib.asynccontextmanager
async def negotiated(url, offer, agreed):
    """A bare socket behind an opening handshake whose answer has exactly this extension, or none."""
    host, _, port = url.removeprefix("ws://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(peer.request(f"{host}:{port}", fields={"Sec-WebSocket-Extensions": offer}))
        first, fields = await peer.read_head(reader)
        assert first.split()[1] == "101", first
        assert fields.get("sec-websocket-extensions") == agreed, (offer, fields)
        yield reader, writer
    finally:
        writer.close()


if __name__ == "__main__":
    peer.main()
