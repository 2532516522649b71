"""What the Python tests of permessage-deflate share: messages of all kinds, ways to compress them with zlib, and a
reader of what the examples compress."""

import random
import zlib

import peer
from peer import BINARY, CONTINUATION, MIB, PING, PONG, TEXT, frame

NAME = "permessage-deflate"
TAIL = b"\x00\x00\xff\xff"
RSV1 = 4
KEY = b"\x37\xfa\x21\x3d"
# Least bytes that the examples compress.
MIN_BYTES = 64
# Least windows: zlib has none of 256 bytes.
WINDOWS = range(9, 16)
SIZES = (0, 1, 63, 64, 65, 1000, 4096, 65535, 70_000, MIB)


def lines(size):
    """Text that is about as compressible as any, with some characters of several bytes."""
    count = size // 20 + 1
    text = "".join(f"line {number}: κόσμε, and so on\n" for number in range(count)).encode()[:size]
    whole = text.decode(errors="ignore")
    return whole + "x" * (size - len(whole.encode()))


def noise(size, seed=1):
    """Bytes that nothing compresses."""
    return random.Random(seed).randbytes(size)


def messages(sizes=SIZES):
    """Text and binary, compressible or not."""
    for size in sizes:
        yield lines(size)
        yield noise(size)
        yield noise(size // 2).hex()
        yield peer.payload(size)


def header(*parameters):
    return "; ".join((NAME, *parameters))


def both_ways(*names):
    """All combinations of parameters."""
    combinations = [()]
    for name in names:
        combinations += [(*others, name) for others in combinations]
    return combinations


# Each gives the payload of a compressed message, as RFC 7692 section 7.2.1 allows it: all of them are fresh, so that
# they may follow any other message.


def flushed(data, mode=zlib.Z_SYNC_FLUSH, **settings):
    compressor = zlib.compressobj(**{"wbits": -15} | settings)
    return (compressor.compress(data) + compressor.flush(mode)).removesuffix(TAIL)


def finished(data, **settings):
    """One final block, or some, without the octet behind."""
    compressor = zlib.compressobj(**{"wbits": -15} | settings)
    return compressor.compress(data) + compressor.flush(zlib.Z_FINISH)


def in_blocks(data, pieces, modes=(zlib.Z_SYNC_FLUSH,), **settings):
    """Flushed in between: the empty blocks stay there."""
    compressor = zlib.compressobj(**{"wbits": -15} | settings)
    step = len(data) // pieces + 1
    done = b""
    for number, start in enumerate(range(0, max(len(data), 1), step)):
        done += compressor.compress(data[start : start + step]) + compressor.flush(modes[number % len(modes)])
    # What ends at a byte need not have an empty block there.
    return (done if done.endswith(TAIL) else done + compressor.flush(zlib.Z_FULL_FLUSH)).removesuffix(TAIL)


def of_many_streams(data):
    """Final blocks one behind the other, each of another compressor."""
    half = len(data) // 2
    return finished(data[:half], level=9) + finished(data[half:], level=1) + flushed(b"")


def stored_by_hand(data):
    """Stored blocks of 1 to 65535 bytes, and the empty one of which a single octet is left."""
    done, start, size = b"", 0, 1
    while start < len(data):
        piece = data[start : start + size]
        length = len(piece).to_bytes(2, "little")
        done += b"\x00" + length + bytes(octet ^ 0xFF for octet in length) + piece
        start, size = start + size, min(size * 7, 65535)
    return done + b"\x00"


def ways(data):
    """All ways to compress these bytes, with names."""
    for level in range(10):
        yield f"level {level}", flushed(data, level=level)
    for bits in WINDOWS:
        yield f"window {bits}", flushed(data, wbits=-bits)
    for memory in (1, 9):
        yield f"memory {memory}", flushed(data, memLevel=memory)
    for strategy in (zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED):
        yield f"strategy {strategy}", flushed(data, strategy=strategy)
    yield "full flush", flushed(data, zlib.Z_FULL_FLUSH)
    for level in (0, 1, 6):
        yield f"final block, level {level}", finished(data, level=level) + b"\x00"
        yield f"final block at the end, level {level}", finished(data, level=level)
    yield "many blocks", in_blocks(data, 17)
    yield "many blocks of many kinds", in_blocks(
        data, 23, (zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH, zlib.Z_BLOCK)
    )
    yield "many streams", of_many_streams(data)
    yield "stored by hand", stored_by_hand(data)


def frames(opcode, payload, cuts=(), key=None, ping=None):
    """A compressed message in fragments, with pings in between."""
    places = [0, *sorted(cuts), len(payload)]
    done = b""
    for number, (start, end) in enumerate(zip(places, places[1:])):
        first, last = number == 0, number == len(places) - 2
        if not first and ping is not None:
            done += frame(PING, ping, key=key)
        done += frame(
            opcode if first else CONTINUATION, payload[start:end], fin=last, rsv=RSV1 if first else 0, key=key
        )
    return done


class Reader:
    """Reads whole messages, inflated with zlib in a window of this size."""

    def __init__(self, reader, bits=15, takes_over=True):
        self.reader, self.bits, self.takes_over = reader, bits, takes_over
        self.inflater = None
        self.compressed = self.plain = self.pongs = 0

    async def message(self):
        """The next one: its opcode and its bytes. Pongs are counted, control frames must not have reserved bits."""
        kind, payload = None, b""
        while True:
            it = await peer.read_frame(self.reader)
            assert it is not None, "the stream ended"
            first, _, data = it
            if first & 0x0F >= 8:
                assert first == 0x80 | PONG, f"first octet {first:#x}, {data}"
                self.pongs += 1
                continue
            assert (kind is None) == (first & 0x0F != CONTINUATION), f"first octet {first:#x}"
            if kind is None:
                kind = first
            else:
                assert first & 0x70 == 0, "reserved bits on a continuation"
            payload += data
            if first & 0x80:
                return kind & 0x0F, self.inflated(kind & 0x40, payload)

    def inflated(self, compressed, payload):
        if not compressed:
            self.plain += 1
            return payload
        self.compressed += 1
        if self.inflater is None or not self.takes_over:
            self.inflater = zlib.decompressobj(-self.bits)
        # In small steps, so that there is hardly more to refer to than the window.
        done, rest = b"", payload + TAIL
        parts = []
        while rest:
            parts.append(self.inflater.decompress(rest, 64))
            rest = self.inflater.unconsumed_tail
        while part := self.inflater.decompress(b"", 64):
            parts.append(part)
        done = b"".join(parts)
        assert not self.inflater.eof and not self.inflater.unused_data, "a final block"
        return done


def kind(message):
    """The opcode and the bytes of a message."""
    return (TEXT, message.encode()) if isinstance(message, str) else (BINARY, message)
