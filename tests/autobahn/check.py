#!/usr/bin/env python3
"""Judges the reports of the Autobahn test suite: check.py REPORTS CASES

REPORTS is the folder with index.json, CASES a file with the name of every case that must be there. Prints a
line for each case that falls short, then how many passed and failed.
"""

import json
import pathlib
import sys

AGENT = "ws-proto"
CLOSE_CODES = pathlib.Path(__file__).with_name("close_codes.txt")
# The suite itself passes no judgement on these.
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}
CLOSE_FRAME = "8"
GAVE_UP = "KLE"


def main(reports, cases_file):
    reports = pathlib.Path(reports)
    cases = pathlib.Path(cases_file).read_text().split()
    table = parse_table(CLOSE_CODES.read_text())
    index = {}
    if (reports / "index.json").exists():
        index = json.loads((reports / "index.json").read_text())
    faults = check(index, cases, table, lambda name: json.loads((reports / name).read_text()))
    for case, fault in faults:
        print(f"{case}: {fault}")
    failed = len({case for case, _ in faults})
    print(f"# pass {max(len(cases) - failed, 0)}")
    print(f"# fail {failed}")
    return 1 if failed else 0


def parse_table(text):
    """The lines of close_codes.txt as {case: (kind, code)}; the code None is an empty body."""
    table = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        kind, code, *ranges = words
        assert kind in ("answers", "fails"), line
        for case in (case for name in ranges for case in expand(name)):
            assert case not in table, f"{case} is in two lines"
            table[case] = (kind, None if code == "none" else int(code))
    return table


def expand(name):
    """`7.9.1-3` is 7.9.1, 7.9.2, 7.9.3."""
    group, _, span = name.rpartition(".")
    first, _, last = span.partition("-")
    return [f"{group}.{number}" for number in range(int(first), int(last or first) + 1)]


def check(index, cases, table, read):
    """Every fault as (case, what is wrong); no faults, no entries."""
    faults = []
    if list(index) != [AGENT]:
        faults.append(("index", f"reports on {list(index)}, not on {AGENT} alone"))
    results = index.get(AGENT, {})
    for case in sorted(set(results) - set(cases)):
        faults.append((case, "is reported, but is no case of the suite"))
    for case in sorted(set(table) - set(cases)):
        faults.append((case, f"is in {CLOSE_CODES.name}, but is no case of the suite"))
    for case in cases:
        if case not in results:
            faults.append((case, "is missing from the report"))
        elif case not in table:
            faults.append((case, f"is missing from {CLOSE_CODES.name}"))
        else:
            report = read(results[case]["reportfile"])
            faults += [(case, fault) for fault in check_case(case, results[case], report, *table[case])]
    return faults


def check_case(case, result, report, kind, code):
    wanted = "INFORMATIONAL" if case in INFORMATIONAL else "OK"
    for field in ("behavior", "behaviorClose"):
        if result[field] != wanted or report[field] != wanted:
            why = report["result" if field == "behavior" else "resultClose"]
            yield f"{field} is {report[field]}, not {wanted}: {why}"
    if report["id"] != case:
        yield f"the report is on {report['id']}"

    # Our Close frame reached the peer before the connection ended: once, with the right code.
    closes = report["rxFrameStats"].get(CLOSE_FRAME, 0)
    if closes != 1:
        yield f"the peer received {closes} Close frames"
    if report["remoteCloseCode"] != code:
        yield f"the peer received the close code {report['remoteCloseCode']}, not {code}"
    if kind == "answers" and report["remoteCloseReason"]:
        yield f"our answer has a reason: {report['remoteCloseReason']}"
    if not report["wasClean"]:
        yield f"the closing handshake was not completed: {report['wasNotCleanReason']}"

    # Nobody's patience ran out.
    for field in ("wasOpenHandshakeTimeout", "wasCloseHandshakeTimeout", "wasServerConnectionDropTimeout"):
        if report[field]:
            yield f"{field} is set"
    if any(entry[0] == GAVE_UP for entry in report["wirelog"]):
        yield "the peer gave up waiting and failed the connection"
    if not report["isServer"] and report["droppedByMe"]:
        yield "the server left it to the client to end the connection"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
