"""The fuzzing side: the Autobahn test suite, under CPython 2.7, on the loopback interface only.

    suite.py cases                      prints the cases, one per line
    suite.py client CASES URL REPORTS   runs cases against the server at URL
    suite.py server CASES REPORTS       prints its URL and serves cases until it is ended

CASES is `plain`, or one of the two groups that are about permessage-deflate: `12` and `13`.
"""

import codecs
import sys

from autobahn.websocket import protocol
from autobahntestsuite import case, caseset, fuzzing
from autobahntestsuite.case import case12_x_x as compressed
from twisted.internet import reactor

LOOPBACK = "127.0.0.1"
CASES = {
    "plain": {"cases": ["*"], "exclude-cases": ["12.*", "13.*"]},
    "12": {"cases": ["12.*"]},
    "13": {"cases": ["13.*"]},
}
XOR = ["".join(chr(octet ^ key) for octet in range(256)) for key in range(256)]


def print_cases():
    cases = caseset.CaseSet(
        case.CaseSetname, case.CaseBasename, case.Cases, case.CaseCategories, case.CaseSubCategories
    )
    print("\n".join(cases.parseSpecCases({"cases": ["*"]})))


def run_client(cases, url, reports):
    hurry(cases)
    fuzzing.startClient(dict(CASES[cases], outdir=reports, servers=[{"agent": "ws-proto", "url": url}]))
    reactor.run()


def run_server(cases, reports):
    hurry(cases)
    # The suite would listen on every interface, and on a port that is chosen beforehand.
    fuzzing.listenWS = listen_on_loopback
    fuzzing.startServer(dict(CASES[cases], outdir=reports, url="ws://%s" % LOOPBACK), webport=None)
    reactor.run()


def listen_on_loopback(factory, _tls):
    port = reactor.listenTCP(0, factory, interface=LOOPBACK).getHost().port
    factory.port = factory.externalPort = port
    print("serving the cases at ws://%s:%d" % (LOOPBACK, port))
    sys.stdout.flush()


def hurry(cases):
    """The compressed cases are gigabytes, which the suite masks and validates byte by byte, and compares by hashes.
    Here that is done faster, and no less strictly: what comes back is compared as it is, whatever the validator
    says. Nor is all of a file decoded again for each message that is a part of it. The other cases, which are about such
    things, run as they are."""
    if cases != "plain":
        compressed.open = File
        protocol.createXorMasker = lambda mask, _length=None: Masker(mask)
        protocol.Utf8Validator = Validator
        compressed.hashlib = Hashes


class Masker:
    """Masks every fourth byte at once, with a table."""

    def __init__(self, mask):
        self.mask, self.offset = bytearray(mask), 0

    def pointer(self):
        return self.offset

    def reset(self):
        self.offset = 0

    def process(self, data):
        done = bytearray(len(data))
        for place in range(4):
            done[place::4] = data[place::4].translate(XOR[self.mask[(self.offset + place) % 4]])
        self.offset += len(data)
        return bytes(done)


class File:
    """In place of `open`: a file that decodes what it holds once."""

    def __init__(self, name, _mode):
        with open(name, "rb") as opened:
            self.content = Content(opened.read())

    def read(self):
        return self.content


class Content(bytes):
    decoded = None

    def decode(self, encoding):
        if self.decoded is None:
            self.decoded = bytes.decode(self, encoding)
        return self.decoded


class Hashes:
    """In place of `hashlib`: a hash that is the message itself."""

    class sha1:
        def update(self, message):
            self.message = message

        def digest(self):
            return self.message


class Validator:
    """Validates many bytes at once, by decoding them."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.decoder, self.total = codecs.getincrementaldecoder("utf-8")(), 0

    def validate(self, data):
        """Valid so far or not, at the end of a character or not, and how far it came: in these bytes, and in all."""
        self.total += len(data)
        try:
            self.decoder.decode(data)
        except UnicodeDecodeError as error:
            return False, False, error.start, self.total
        return True, not self.decoder.buffer, len(data), self.total


if __name__ == "__main__":
    command, arguments = sys.argv[1], sys.argv[2:]
    {"cases": print_cases, "client": run_client, "server": run_server}[command](*arguments)
