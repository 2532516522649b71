#!/usr/bin/env python3
"""Judges the reports of the Autobahn test suite: check.py CASES REPORTS...

CASES is a file with the name of every case that must be there, REPORTS are folders with an index.json; each case is in
one of them. Prints a line for each case that falls short, then how many passed and failed.
"""

import json
import pathlib
import re
import sys

AGENT = "ws-proto"
CLOSE_CODES = pathlib.Path(__file__).with_name("close_codes.txt")
# The suite itself passes no judgement on these.
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}
CLOSE_FRAME = "8"
GAVE_UP = "KLE"
COMPRESSED = ("12.", "13.")
# How many messages go each way in each of them, and what they ask of our compressor.
MESSAGES = 1000
NO_CONTEXT = "_no_context_takeover"
PARAMETERS = {
    "13.2": {NO_CONTEXT},
    "13.3": {"_max_window_bits=9"},
    "13.4": {"_max_window_bits=15"},
    "13.5": {NO_CONTEXT, "_max_window_bits=9"},
    "13.6": {NO_CONTEXT, "_max_window_bits=15"},
    "13.7": {NO_CONTEXT, "_max_window_bits=9"},
}


def main(cases_file, *folders):
    cases = pathlib.Path(cases_file).read_text().split()
    table = parse_table(CLOSE_CODES.read_text())
    faults = check([read_index(pathlib.Path(folder)) for folder in folders], cases, table, read_json)
    for case, fault in faults:
        print(f"{case}: {fault}")
    failed = len({case for case, _ in faults})
    print(f"# pass {max(len(cases) - failed, 0)}")
    print(f"# fail {failed}")
    return 1 if failed else 0


def read_index(folder):
    """The index of a folder, with the whole paths of the reports; of one without reports, an empty one."""
    index = read_json(folder / "index.json") if (folder / "index.json").exists() else {}
    for results in index.values():
        for result in results.values():
            result["reportfile"] = folder / result["reportfile"]
    return index


def read_json(path):
    return json.loads(path.read_text())


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


def check(indices, cases, table, read):
    """Every fault as (case, what is wrong); no faults, no entries."""
    faults, results = [], {}
    for index in indices:
        if list(index) != [AGENT]:
            faults.append(("index", f"reports on {list(index)}, not on {AGENT} alone"))
        for case, result in index.get(AGENT, {}).items():
            if case in results:
                faults.append((case, "is reported twice"))
            results[case] = result
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

    if is_compressed(case):
        yield from check_compression(case, report)

    # Nobody's patience ran out.
    for field in ("wasOpenHandshakeTimeout", "wasCloseHandshakeTimeout", "wasServerConnectionDropTimeout"):
        if report[field]:
            yield f"{field} is set"
    if any(entry[0] == GAVE_UP for entry in report["wirelog"]):
        yield "the peer gave up waiting and failed the connection"
    if not report["isServer"] and report["droppedByMe"]:
        yield "the server left it to the client to end the connection"


def is_compressed(case):
    return case.startswith(COMPRESSED)


def check_compression(case, report):
    """permessage-deflate with the parameters that the case is about, and messages that got smaller."""
    agreed = re.findall(r"^Sec-WebSocket-Extensions: (.*)\r$", report["httpResponse"], re.MULTILINE | re.IGNORECASE)
    if len(agreed) != 1:
        yield f"permessage-deflate was not agreed on once, but in {agreed}"
        return
    name, *parameters = agreed[0].split("; ")
    side = "client" if report["isServer"] else "server"
    ours = {it.removeprefix(side) for it in parameters if it.startswith(side)}
    wanted = PARAMETERS.get(case.rpartition(".")[0], set())
    if name != "permessage-deflate" or ours != wanted:
        yield f"agreed on {agreed[0]}, which asks of us {ours}, not {wanted}"
    traffic = report["trafficStats"]
    if traffic is None:
        yield "no messages were counted"
        return
    for way in ("incoming", "outgoing"):
        if traffic[f"{way}WebSocketMessages"] != MESSAGES:
            yield f"{way}: {traffic[f'{way}WebSocketMessages']} messages, not {MESSAGES}"
    plain, packed = traffic["incomingOctetsAppLevel"], traffic["incomingOctetsWebSocketLevel"]
    # Shorter ones go out as they are, and with a context that is taken over some of 64 bytes get a little longer.
    most = plain + 4 * MESSAGES if plain <= 64 * MESSAGES else plain - 1
    if packed > most:
        yield f"{plain} bytes came as {packed}"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
