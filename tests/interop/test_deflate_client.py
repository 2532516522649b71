"""permessage-deflate: Python `websockets`, and zlib over bare sockets, as servers of echo_client."""

import asyncio
import contextlib
import os
import random

from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

import deflate
import peer
from deflate import WINDOWS, Reader, header
from peer import BINARY, CLOSE, CONTINUATION, MIB, PING, TEXT, close_body, frame

CLIENT = os.environ["ECHO_CLIENT"]
SERVER_NO_CONTEXT, CLIENT_NO_CONTEXT = "server_no_context_takeover", "client_no_context_takeover"
ANY = "client_max_window_bits"


class Test(peer.Test):
    async def echo_client(self, url, offer):
        """Runs echo_client to its end: its exit code and the lines on its stderr. `offer` is what it is told to offer;
        an empty one is what it offers by itself."""
        option = f"--deflate={'; '.join(offer)}" if offer else "--deflate"
        client = await asyncio.create_subprocess_exec(
            CLIENT, url, option, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        try:
            _, stderr = await asyncio.wait_for(client.communicate(), peer.SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                client.kill()
        return client.returncode, stderr.decode().splitlines()


class Library(Test):
    async def with_server(self, handler, offer=(), agreed=(), **parameters):
        """Runs echo_client against a server with this handler, whose failure is the test's."""
        outcome = asyncio.get_running_loop().create_future()

        async def connection(ws):
            try:
                self.assertEqual(ws.request.headers["Sec-WebSocket-Extensions"], header(*(offer or (ANY,))))
                answered = ws.response.headers["Sec-WebSocket-Extensions"].split("; ")
                self.assertEqual(sorted(answered), sorted(header(*agreed).split("; ")))
                outcome.set_result(await handler(ws))
            except BaseException as error:
                outcome.set_exception(error)

        options = {"max_size": None, "ping_interval": None, "compression": None}
        extension = ServerPerMessageDeflateFactory(**parameters)
        async with serve(connection, "127.0.0.1", 0, extensions=[extension], **options) as server:
            host, port = server.sockets[0].getsockname()
            self.assertEqual(await self.echo_client(f"ws://{host}:{port}/", offer), (0, []))
            await outcome

    def echoes(self, sizes=deflate.SIZES):
        async def handler(ws):
            for message in deflate.messages(sizes):
                await ws.send(message)
                self.assertTrue(await ws.recv() == message, f"{len(message)} {type(message)}")

        return handler

    async def test_all_sizes(self):
        await self.with_server(self.echoes())

    async def test_all_sizes_without_context(self):
        await self.with_server(
            self.echoes(),
            agreed=(SERVER_NO_CONTEXT, CLIENT_NO_CONTEXT),
            server_no_context_takeover=True,
            client_no_context_takeover=True,
        )

    async def test_contexts(self):
        """What the server wants by itself, and what the client asks for."""
        names = (SERVER_NO_CONTEXT, CLIENT_NO_CONTEXT)
        for wanted in deflate.both_ways(*names):
            for offer in deflate.both_ways(*names):
                agreed = {*wanted, *offer}
                await self.with_server(
                    self.echoes((0, 64, 1000, 70_000)), offer, agreed, **dict.fromkeys(wanted, True)
                )

    async def test_windows_of_the_client(self):
        for bits in WINDOWS:
            await self.with_server(
                self.echoes((64, 1000, 70_000)),
                agreed=(f"client_max_window_bits={bits}",),
                client_max_window_bits=bits,
            )

    async def test_windows_of_the_server(self):
        for bits in WINDOWS:
            offer = (f"server_max_window_bits={bits}",)
            await self.with_server(self.echoes((64, 1000, 70_000)), offer, offer)

    async def test_fragments_and_pings(self):
        whole = deflate.lines(10_000)

        async def handler(ws):
            async def fragments():
                for start in range(0, len(whole), 997):
                    yield whole[start : start + 997]
                    await (await ws.ping(b"in between"))

            for _ in range(3):
                await ws.send(fragments())
                self.assertEqual(await ws.recv(), whole)
            await ws.send([deflate.noise(1000), b"", deflate.noise(70_000, 2)])
            self.assertTrue(await ws.recv() == deflate.noise(1000) + deflate.noise(70_000, 2))

        await self.with_server(handler)


class Zlib(Test):
    async def with_server(self, handler, agreed, offer=()):
        """Runs echo_client against a bare socket that answers with this extension; gives how the client ended."""
        outcome = asyncio.get_running_loop().create_future()

        async def connection(reader, writer):
            try:
                _, fields = await peer.read_head(reader)
                lines = (
                    "HTTP/1.1 101 Switching Protocols",
                    "Upgrade: websocket",
                    "Connection: Upgrade",
                    f"Sec-WebSocket-Accept: {peer.accept_value(fields['sec-websocket-key'])}",
                    *(f"Sec-WebSocket-Extensions: {it}" for it in (agreed,) if it is not None),
                )
                writer.write("\r\n".join((*lines, "", "")).encode())
                outcome.set_result(await handler(reader, writer))
            except BaseException as error:
                outcome.set_exception(error)
            finally:
                writer.close()

        async with await asyncio.start_server(connection, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()
            ended = await self.echo_client(f"ws://{host}:{port}/", offer)
            await outcome
        return ended

    async def close(self, reader, writer):
        writer.write(frame(CLOSE, close_body(1000)))
        self.assertEqual(await peer.read_frame(reader), (0x80 | CLOSE, True, close_body(1000)))

    async def differential(self, agreed, offer=(), bits=15, takes_over=True, sizes=(0, 1, 100, 5000)):
        draw = random.Random(agreed).randrange
        readers = []

        async def handler(stream, writer):
            reader = Reader(stream, bits, takes_over)
            readers.append(reader)
            for size in sizes:
                for data, opcode in ((deflate.lines(size).encode(), TEXT), (deflate.noise(size), BINARY)):
                    for way, payload in deflate.ways(data):
                        cuts = [draw(len(payload) + 1) for _ in range(draw(4))]
                        writer.write(deflate.frames(opcode, payload, cuts, ping=b"p"))
                        self.assertTrue(await reader.message() == (opcode, data), f"{way}, {size} bytes, {cuts}")
            await self.close(stream, writer)

        self.assertEqual(await self.with_server(handler, agreed, offer), (0, []))
        return readers[0].compressed, readers[0].plain

    async def test_contexts_taken_over(self):
        compressed, plain = await self.differential(header(), sizes=(0, 1, 100, 5000, 70_000))
        self.assertEqual(compressed * 2, plain * 3)  # three of the five sizes

    async def test_no_contexts(self):
        compressed, plain = await self.differential(
            header(SERVER_NO_CONTEXT, CLIENT_NO_CONTEXT), takes_over=False, sizes=(0, 1, 100, 5000)
        )
        # Noise does not get shorter, and so goes out as it is.
        self.assertEqual(compressed * 3, plain)

    async def test_windows_of_the_client(self):
        for bits in WINDOWS:
            compressed, plain = await self.differential(
                header(f"client_max_window_bits={bits}"), bits=bits, sizes=(5000,)
            )
            self.assertEqual(plain, 0)

    async def test_window_that_no_compressor_has(self):
        """Nothing may be compressed in 256 bytes here, and so nothing is."""
        compressed, plain = await self.differential(header("client_max_window_bits=8"), sizes=(100, 5000))
        self.assertEqual(compressed, 0)
        self.assertGreater(plain, 0)

    async def test_windows_of_the_server(self):
        for bits in (8, *WINDOWS):
            limit = f"server_max_window_bits={bits}"
            await self.differential(header(limit), (limit,), sizes=(5000,))

    async def test_large(self):
        async def handler(stream, writer):
            reader = Reader(stream)
            for data in (deflate.lines(MIB).encode(), deflate.noise(MIB), bytes(MIB)):
                writer.write(deflate.frames(BINARY, deflate.flushed(data), (1, 2, 500)))
                self.assertTrue(await reader.message() == (BINARY, data))
            await self.close(stream, writer)

        self.assertEqual(await self.with_server(handler, header()), (0, []))

    async def test_declined(self):
        async def handler(stream, writer):
            for data in (b"short", deflate.lines(10_000).encode()):
                writer.write(frame(TEXT, data))
                self.assertEqual(await peer.read_frame(stream), (0x80 | TEXT, True, data))
            await self.close(stream, writer)

        self.assertEqual(await self.with_server(handler, None), (0, []))

    async def test_answers_that_do_not_fit(self):
        async def handler(stream, _):
            await stream.read()

        limit = ("server_max_window_bits=10",)
        for agreed, offer in (
            ("x-webkit-deflate-frame", ()),
            (header("unknown"), ()),
            (header("client_max_window_bits"), ()),
            (header("client_max_window_bits=16"), ()),
            (header("server_no_context_takeover=1"), ()),
            (f"{header()}, {header()}", ()),
            (header(), limit),
            (header("server_max_window_bits=11"), limit),
            (header(*limit, "client_max_window_bits=10"), limit),
            (header(), (SERVER_NO_CONTEXT,)),
        ):
            code, lines = await self.with_server(handler, agreed, offer)
            self.assertEqual((code, len(lines)), (1, 1), (agreed, lines))

    async def test_violations(self):
        part = deflate.flushed(b"Hello" * 20)
        for code, data in (
            (1002, frame(PING, rsv=4)),
            (1002, frame(TEXT, part[:3], fin=False, rsv=4) + frame(CONTINUATION, part[3:], rsv=4)),
            (1007, frame(TEXT, part[:-3], rsv=4)),
            (1007, frame(TEXT, deflate.flushed(b"\xff" * 100), rsv=4)),
            (1009, frame(BINARY, deflate.flushed(bytes(17 * MIB)), rsv=4)),
        ):

            async def handler(stream, writer):
                writer.write(data)
                first, was_masked, body = await peer.read_frame(stream)
                self.assertEqual((first, was_masked), (0x88, True))
                self.assertEqual(int.from_bytes(body[:2], "big"), code)

            ended, lines = await self.with_server(handler, header())
            self.assertEqual((ended, len(lines)), (1, 1), lines)


if __name__ == "__main__":
    peer.main()
