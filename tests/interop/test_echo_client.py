"""Python `websockets`, and bare sockets, as servers of echo_client."""

import asyncio
import contextlib
import os

from websockets.asyncio.server import serve

import peer
from peer import BINARY, CLOSE, PING, PONG, TEXT, close_body, frame, payload

CLIENT = os.environ["ECHO_CLIENT"]
KEY = b"\x37\xfa\x21\x3d"


class Test(peer.Test):
    async def echo_client(self, url):
        """Runs echo_client to its end: its exit code and the lines on its stderr."""
        client = await asyncio.create_subprocess_exec(
            CLIENT, url, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        try:
            _, stderr = await asyncio.wait_for(client.communicate(), peer.SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                client.kill()
        return client.returncode, stderr.decode().splitlines()

    async def ends_well(self, url):
        self.assertEqual(await self.echo_client(url), (0, []))

    async def ends_with_one_line(self, url):
        code, lines = await self.echo_client(url)
        self.assertEqual(code, 1, lines)
        self.assertEqual(len(lines), 1, lines)


class Messages(Test):
    async def with_server(self, handler, **options):
        """Runs echo_client against a server with this handler, whose failure is the test's."""
        outcome = asyncio.get_running_loop().create_future()

        async def connection(ws):
            try:
                outcome.set_result(await handler(ws))
            except BaseException as error:
                outcome.set_exception(error)

        options = {"max_size": None, "ping_interval": None} | options
        async with serve(connection, "127.0.0.1", 0, **options) as server:
            host, port = server.sockets[0].getsockname()
            await self.ends_well(f"ws://{host}:{port}/")
            await outcome

    async def echoes(self, ws, message, expected=None):
        await ws.send(message)
        self.assertTrue(await ws.recv() == (message if expected is None else expected))

    async def test_text(self):
        async def handler(ws):
            for text in ("", "Hello", "κόσμε, grüß dich, 你好, 🦀", "\0\ufeff", "é" * 40_000):
                await self.echoes(ws, text)

        await self.with_server(handler)

    async def test_every_length_form(self):
        async def handler(ws):
            for size in peer.SIZES:
                await self.echoes(ws, payload(size))
                await self.echoes(ws, "x" * size)

        await self.with_server(handler)

    async def test_fragments(self):
        async def handler(ws):
            await self.echoes(ws, ["Hel", "", "lo"], "Hello")
            await self.echoes(ws, [payload(65536)] * 32, payload(65536) * 32)
            await ws.send([bytes([byte]) for byte in "κόσμε 🦀".encode()], text=True)
            self.assertEqual(await ws.recv(), "κόσμε 🦀")

        await self.with_server(handler)

    async def test_pings(self):
        async def handler(ws):
            for data in (b"", b"a", payload(125)):
                await (await ws.ping(data))

            async def fragments():
                yield "Hel"
                await (await ws.ping(b"in between"))
                yield "lo"

            await self.echoes(ws, fragments(), "Hello")

        await self.with_server(handler)

    async def test_many_small_messages_in_one_go(self):
        count = 10_000

        async def handler(ws):
            async def send_all():
                for number in range(count):
                    await ws.send(f"message {number}")

            sender = asyncio.create_task(send_all())
            for number in range(count):
                self.assertEqual(await ws.recv(), f"message {number}")
            await sender

        await self.with_server(handler)

    async def test_close_with_code_and_reason(self):
        for code, reason in ((1000, ""), (1001, "going"), (3000, "Grüße"), (4999, "x" * 123)):

            async def handler(ws):
                await ws.close(code, reason)
                received = ws.protocol.close_rcvd
                self.assertEqual((received.code, received.reason), (code, ""))

            await self.with_server(handler)

    async def test_no_offers(self):
        async def handler(ws):
            self.assertNotIn("Sec-WebSocket-Extensions", ws.request.headers)
            self.assertNotIn("Sec-WebSocket-Protocol", ws.request.headers)
            self.assertEqual(ws.protocol.extensions, [])

        await self.with_server(
            handler, compression="deflate", subprotocols=["chat"], select_subprotocol=lambda *_: None
        )


class BareServer(Test):
    """Servers that do what no library would."""

    @contextlib.asynccontextmanager
    async def server(self, handler):
        """Serves one connection after the other, and gives the URL."""
        outcomes = []

        async def connection(reader, writer):
            try:
                await handler(reader, writer)
            except BaseException as error:
                outcomes.append(error)
            finally:
                writer.close()

        server = await asyncio.start_server(connection, "127.0.0.1", 0)
        async with server:
            host, port = server.sockets[0].getsockname()
            yield f"ws://{host}:{port}/"
        for error in outcomes:
            raise error

    async def accept(self, reader, writer, *more_fields, behind=b""):
        """Answers the opening handshake, with frames in the same segment."""
        _, fields = await peer.read_head(reader)
        lines = (
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {peer.accept_value(fields['sec-websocket-key'])}",
            *more_fields,
        )
        writer.write("\r\n".join((*lines, "", "")).encode() + behind)
        await writer.drain()

    async def refuses_frame(self, code, data):
        """The client must answer these bytes with a masked Close frame of this code, and wait for the server."""

        async def handler(reader, writer):
            await self.accept(reader, writer, behind=data)
            first, was_masked, body = await peer.read_frame(reader)
            self.assertEqual((first, was_masked), (0x88, True))
            self.assertEqual(int.from_bytes(body[:2], "big"), code)

        async with self.server(handler) as url:
            await self.ends_with_one_line(url)

    async def refuses_response(self, *lines, body=""):
        async def handler(reader, writer):
            await peer.read_head(reader)
            writer.write("\r\n".join((*lines, "", body)).encode())
            await writer.drain()

        async with self.server(handler) as url:
            await self.ends_with_one_line(url)

    async def refuses_field(self, field):
        async def handler(reader, writer):
            await self.accept(reader, writer, field)
            await reader.read(1)

        async with self.server(handler) as url:
            await self.ends_with_one_line(url)

    async def test_frames_behind_the_response(self):
        async def handler(reader, writer):
            await self.accept(reader, writer, behind=frame(TEXT, b"early") + frame(PING, b"bird"))
            frames = [await peer.read_frame(reader), await peer.read_frame(reader)]
            self.assertEqual(frames, [(0x80 | TEXT, True, b"early"), (0x80 | PONG, True, b"bird")])
            writer.write(frame(CLOSE))
            self.assertEqual(await peer.read_frame(reader), (0x80 | CLOSE, True, b""))

        async with self.server(handler) as url:
            await self.ends_well(url)

    async def test_one_byte_at_a_time(self):
        class Drip:
            """Writes each byte as a segment of its own."""

            def __init__(self, writer):
                self.writer = writer

            def write(self, data):
                self.data = data

            async def drain(self):
                for byte in self.data:
                    self.writer.write(bytes([byte]))
                    await asyncio.sleep(0.001)

        async def handler(reader, writer):
            frames = frame(BINARY, payload(126)) + frame(CLOSE, close_body(1000))
            await self.accept(reader, Drip(writer), behind=frames)
            self.assertEqual(await peer.read_frame(reader), (0x80 | BINARY, True, payload(126)))
            self.assertEqual(await peer.read_frame(reader), (0x80 | CLOSE, True, close_body(1000)))

        async with self.server(handler) as url:
            await self.ends_well(url)

    async def test_fresh_masking_keys(self):
        async def handler(reader, writer):
            await self.accept(reader, writer, behind=frame(BINARY, bytes(4)) * 32)
            keys = set()
            for _ in range(32):
                self.assertEqual(await reader.readexactly(2), b"\x82\x84")
                keys.add(await reader.readexactly(4))
                await reader.readexactly(4)
            self.assertEqual(len(keys), 32)
            writer.write(frame(CLOSE))
            await peer.read_frame(reader)

        async with self.server(handler) as url:
            await self.ends_well(url)

    async def test_refused_connection(self):
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        server.close()
        await server.wait_closed()
        await self.ends_with_one_line(f"ws://{host}:{port}/")

    async def test_other_status_codes(self):
        await self.refuses_response("HTTP/1.1 404 Not Found", "Content-Length: 4", body="none")
        await self.refuses_response("HTTP/1.1 503 Service Unavailable", "Connection: close")
        await self.refuses_response("HTTP/1.1 200 OK", "Content-Length: 0")

    async def test_redirect_is_not_followed(self):
        requests = []

        async def handler(reader, writer):
            first, fields = await peer.read_head(reader)
            requests.append(first)
            writer.write(f"HTTP/1.1 301 Moved\r\nLocation: http://{fields['host']}/other\r\n\r\n".encode())

        async with self.server(handler) as url:
            await self.ends_with_one_line(url)
        self.assertEqual(requests, ["GET / HTTP/1.1"])

    async def test_not_http(self):
        await self.refuses_response("220 ready when you are")

    async def test_wrong_accept_value(self):
        upgrade = ("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade")
        await self.refuses_response(*upgrade, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        await self.refuses_response(*upgrade)

    async def test_what_was_not_offered(self):
        await self.refuses_field("Sec-WebSocket-Extensions: permessage-deflate")
        await self.refuses_field("Sec-WebSocket-Protocol: chat")

    async def test_violations(self):
        await self.refuses_frame(1002, frame(TEXT, b"Hello", key=KEY))
        await self.refuses_frame(1002, frame(TEXT, b"Hello", rsv=4))
        await self.refuses_frame(1002, frame(PING, bytes(126)))
        await self.refuses_frame(1002, frame(CLOSE, close_body(1006)))
        await self.refuses_frame(1007, frame(TEXT, b"\xc0\xaf"))

    async def test_much_more_behind_the_violation(self):
        await self.refuses_frame(1002, frame(TEXT, b"Hello", rsv=4) + bytes(peer.MIB))

    async def test_end_of_stream_without_a_close(self):
        for left_over in (b"", frame(TEXT, b"Hello")[:4], frame(TEXT, b"Hello", fin=False)):

            async def handler(reader, writer):
                await self.accept(reader, writer, behind=left_over)
                writer.write_eof()
                await reader.read()

            async with self.server(handler) as url:
                await self.ends_with_one_line(url)

    async def test_end_of_stream_in_the_response(self):
        async def handler(reader, writer):
            await peer.read_head(reader)
            writer.write(b"HTTP/1.1 101 Switching Pro")

        async with self.server(handler) as url:
            await self.ends_with_one_line(url)

    async def test_reset(self):
        async def handler(reader, writer):
            await self.accept(reader, writer)
            writer.transport.abort()

        async with self.server(handler) as url:
            await self.ends_with_one_line(url)


if __name__ == "__main__":
    peer.main()
