"""handover: clients keep echoing while the server executes itself anew, three times."""

import asyncio
import os
import resource
import shutil
import signal
import struct
import tempfile

import peer
from peer import BINARY, CONTINUATION, PING, PONG, TEXT, frame
from program import Server, client, raw

KEY = b"\x37\xfa\x21\x3d"


async def hand_over(server, connections):
    server.signal(signal.SIGUSR2)
    line = await server.line()
    assert line == f"took over {connections} connections", line


class Handover(peer.Test):
    async def test_under_load(self):
        clients = 5
        async with Server("handover") as server:
            self.stopped, self.talking = False, 0
            talks = [asyncio.create_task(self.talk(server.url, i)) for i in range(clients)]
            while self.talking < clients:
                await asyncio.sleep(0.05)
            for _ in range(3):
                await asyncio.sleep(0.4)
                await hand_over(server, clients)
            await asyncio.sleep(0.4)
            self.stopped = True
            for count in await asyncio.gather(*talks):
                self.assertGreater(count, 100)

    async def talk(self, url, seed):
        """Sends numbered messages of many sizes without a pause, and checks that all come back in order."""
        sizes = (0, 3, 200, 70_000, 300_000)

        def message(i):
            return struct.pack("!I", i) + peer.payload(sizes[(i + seed) % len(sizes)])

        sent = 0
        async with client(url, compression=None) as ws:
            self.talking += 1

            async def send():
                nonlocal sent
                while not self.stopped:
                    whole = message(sent)
                    parts = [whole[:2], whole[2:]] if sent % 3 == 0 else whole
                    await ws.send(parts)
                    sent += 1
                    await asyncio.sleep(0)

            sending = asyncio.create_task(send())
            received = 0
            while not self.stopped or received < sent or not sending.done():
                if received == sent:
                    await asyncio.sleep(0)
                    continue
                self.assertTrue(await ws.recv() == message(received), f"message {received}")
                received += 1
            await sending
        self.assertEqual(ws.protocol.close_code, 1000)
        return received

    async def test_at_every_byte(self):
        """From the request to an interrupted fragmented message, with an exec after each byte."""
        text = "κό".encode()
        frames = (
            frame(TEXT, text[:3], fin=False, key=KEY)
            + frame(PING, b"p", key=KEY)
            + frame(CONTINUATION, text[3:], key=KEY)
        )
        async with Server("handover") as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            request = peer.request(f"127.0.0.1:{server.port}")
            writer.write(request[:20])
            await asyncio.sleep(0.05)
            await hand_over(server, 1)
            writer.write(request[20:])
            status, _ = await peer.read_head(reader)
            self.assertTrue(status.startswith("HTTP/1.1 101"), status)
            for byte in frames:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.02)
                await hand_over(server, 1)
            self.assertEqual(await peer.read_frame(reader), (0x80 | PONG, False, b"p"))
            self.assertEqual(await peer.read_frame(reader), (0x80 | TEXT, False, text))
            writer.close()

    async def test_bytes_that_wait(self):
        """A peer does not read: what the server has for it goes over too, or stays if nothing is handed over."""
        messages = [peer.payload(300_000 + i) for i in range(20)]
        with tempfile.TemporaryDirectory() as folder:
            program = shutil.copy(os.path.join(os.environ["EXAMPLES"], "handover"), folder)
            async with Server("handover", program=program) as server, raw(server) as (reader, writer):
                reader._transport.pause_reading()
                writing = asyncio.create_task(self.write(writer, messages))
                await asyncio.sleep(0.3)
                for _ in range(3):
                    await hand_over(server, 1)
                os.remove(program)
                server.signal(signal.SIGUSR2)
                await server.says("not handed over")
                reader._transport.resume_reading()
                await self.reads(reader, messages)
                await writing

    async def reads(self, reader, messages):
        for message in messages:
            self.assertTrue(await peer.read_frame(reader) == (0x80 | BINARY, False, message))

    async def test_no_descriptors_left(self):
        """Who finds no room waits, and nobody is dropped for that."""
        async with Server("handover") as server, client(server.url) as first, client(server.url) as second:
            open_ones = len(os.listdir(f"/proc/{server.process.pid}/fd"))
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (open_ones, open_ones))
            waiting = asyncio.create_task(self.echo_once(server.url))
            await server.says("nobody is accepted")
            await self.echoes(first, "still there")
            self.assertFalse(waiting.done())
            await second.close()
            await waiting

    async def echo_once(self, url):
        async with client(url) as ws:
            await self.echoes(ws, "at last")

    async def write(self, writer, messages):
        for message in messages:
            writer.write(frame(BINARY, message, key=b"\0\0\0\0"))
            await writer.drain()

    async def test_program_that_is_gone(self):
        """If the exec fails, the process before goes on."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "handover")
            program = shutil.copy(os.path.join(os.environ["EXAMPLES"], "handover"), path)
            async with Server("handover", program=program) as server, client(server.url) as ws:
                os.rename(path, path + "-away")
                server.signal(signal.SIGUSR2)
                await server.says("not handed over")
                await self.echoes(ws, "still there")
                os.rename(path + "-away", path)
                await hand_over(server, 1)
                await self.echoes(ws, "there anew")

    async def echoes(self, ws, message):
        await ws.send(message)
        self.assertEqual(await ws.recv(), message)


if __name__ == "__main__":
    peer.main()
