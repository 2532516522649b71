"""What the Python tests share: time limits, payloads, a peer made of a bare socket, and the final count."""

import asyncio
import base64
import functools
import hashlib
import os
import struct
import sys
import unittest

SECONDS = 30
MIB = 1 << 20
SIZES = (0, 1, 125, 126, 127, 65535, 65536, MIB, 16 * MIB)

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


class Test(unittest.IsolatedAsyncioTestCase):
    """Every test is bounded in time."""

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for name, method in list(vars(cls).items()):
            if name.startswith("test_"):
                setattr(cls, name, bounded(method))

    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)


def bounded(method):
    @functools.wraps(method)
    async def test(self):
        await asyncio.wait_for(method(self), SECONDS)

    return test


def main():
    """Runs the tests of the calling module and ends with the counts that `tally` of tools.sh reads."""
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    result = program.result
    failed = len(result.failures) + len(result.errors)
    sys.stderr.flush()
    print(f"# pass {result.testsRun - failed}\n# fail {failed}")
    sys.exit(failed != 0)


def payload(size):
    """Bytes with a period that no buffer size is a multiple of."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def frame(opcode, data=b"", fin=True, rsv=0, key=None, declared=None):
    """A frame as bytes; `declared` is a length other than that of the data."""
    length = len(data) if declared is None else declared
    head = bytes([fin << 7 | rsv << 4 | opcode])
    bit = 0 if key is None else 0x80
    if length < 126:
        head += bytes([bit | length])
    elif length < 65536:
        head += struct.pack("!BH", bit | 126, length)
    else:
        head += struct.pack("!BQ", bit | 127, length)
    return head + data if key is None else head + key + masked(key, data)


def masked(key, data):
    keys = (key * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(keys, "big")).to_bytes(len(data), "big")


def close_body(code, reason=b""):
    return struct.pack("!H", code) + reason


def accept_value(key):
    digest = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return base64.b64encode(digest).decode()


async def read_head(reader):
    """The first line of a request or response, and its fields by lower-case name."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")[:-2]
    fields = (line.partition(":") for line in lines)
    return first, {name.lower(): value.strip() for name, _, value in fields}


async def read_frame(reader):
    """The next frame as (first byte, masked or not, unmasked data), or None at the end of the stream."""
    try:
        first, second = await reader.readexactly(2)
    except asyncio.IncompleteReadError as end:
        assert not end.partial, "the stream ends inside a frame header"
        return None
    length = second & 0x7F
    if length == 126:
        (length,) = struct.unpack("!H", await reader.readexactly(2))
    elif length == 127:
        (length,) = struct.unpack("!Q", await reader.readexactly(8))
    key = await reader.readexactly(4) if second & 0x80 else None
    data = await reader.readexactly(length)
    return first, key is not None, data if key is None else masked(key, data)


async def read_to_end(reader):
    """All frames to the end of the stream, which must not be a reset."""
    frames = []
    while (it := await read_frame(reader)) is not None:
        frames.append(it)
    return frames


def request(address, path="/", fields=None):
    """An opening handshake; `fields` replaces some of its lines, and None leaves one out."""
    lines = {
        "Host": address,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
    } | (fields or {})
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return f"GET {path} HTTP/1.1\r\n{text}\r\n".encode()
