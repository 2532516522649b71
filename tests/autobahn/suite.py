"""The fuzzing side: the Autobahn test suite, under CPython 2.7, on the loopback interface only.

    suite.py cases                  prints the cases, one per line
    suite.py client URL REPORTS     runs every case against the server at URL
    suite.py server REPORTS         prints its URL and serves the cases until it is ended
"""

import sys

from autobahntestsuite import case, caseset, fuzzing
from twisted.internet import reactor

LOOPBACK = "127.0.0.1"
# Compression, which the crate does not negotiate.
LEFT_OUT = ["12.*", "13.*"]


def spec(reports, **more):
    return dict({"outdir": reports, "cases": ["*"], "exclude-cases": LEFT_OUT}, **more)


def print_cases():
    cases = caseset.CaseSet(
        case.CaseSetname, case.CaseBasename, case.Cases, case.CaseCategories, case.CaseSubCategories
    )
    print("\n".join(cases.parseSpecCases(spec(None))))


def run_client(url, reports):
    fuzzing.startClient(spec(reports, servers=[{"agent": "ws-proto", "url": url}]))
    reactor.run()


def run_server(reports):
    # The suite would listen on every interface, and on a port that is chosen beforehand.
    fuzzing.listenWS = listen_on_loopback
    fuzzing.startServer(spec(reports, url="ws://%s" % LOOPBACK), webport=None)
    reactor.run()


def listen_on_loopback(factory, _tls):
    port = reactor.listenTCP(0, factory, interface=LOOPBACK).getHost().port
    factory.port = factory.externalPort = port
    print("serving the cases at ws://%s:%d" % (LOOPBACK, port))
    sys.stdout.flush()


if __name__ == "__main__":
    command, arguments = sys.argv[1], sys.argv[2:]
    {"cases": print_cases, "client": run_client, "server": run_server}[command](*arguments)
