#!/usr/bin/env python3
"""The checker must be able to fail: good reports, each doctored in one place."""

import copy
import unittest

import check

TABLE = check.parse_table(check.CLOSE_CODES.read_text())
CASES = list(TABLE)


def good_reports():
    return {case: good_report(case, *TABLE[case]) for case in CASES}


def good_report(case, kind, code):
    behavior = "INFORMATIONAL" if case in check.INFORMATIONAL else "OK"
    return {
        "id": case,
        "behavior": behavior,
        "behaviorClose": behavior,
        "result": "",
        "resultClose": "",
        "rxFrameStats": {"1": 1, "8": 1},
        "remoteCloseCode": code,
        "remoteCloseReason": None if kind == "answers" else "a reason",
        "wasClean": True,
        "wasNotCleanReason": None,
        "wasOpenHandshakeTimeout": False,
        "wasCloseHandshakeTimeout": False,
        "wasServerConnectionDropTimeout": False,
        "droppedByMe": False,
        "isServer": False,
        "wirelog": [["KL", 1], ["TO", [2, "8800"], False]],
        "httpResponse": good_response(case),
        "trafficStats": good_traffic() if check.is_compressed(case) else None,
    }


def good_response(case):
    if not check.is_compressed(case):
        return "HTTP/1.1 101 Switching Protocols\r\n\r\n"
    ours = [f"; server{it}" for it in check.PARAMETERS.get(case.rpartition(".")[0], ())]
    agreed = f"permessage-deflate; client_no_context_takeover{''.join(ours)}"
    return f"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Extensions: {agreed}\r\n\r\n"


def good_traffic():
    return {
        "incomingWebSocketMessages": check.MESSAGES,
        "outgoingWebSocketMessages": check.MESSAGES,
        "incomingOctetsAppLevel": 256_000,
        "incomingOctetsWebSocketLevel": 20_000,
    }


def faults(reports, cases=CASES, table=TABLE, agents=(check.AGENT,)):
    result = {
        case: {"behavior": it["behavior"], "behaviorClose": it["behaviorClose"], "reportfile": case}
        for case, it in reports.items()
    }
    return check.check([{agent: result for agent in agents}], cases, table, reports.get)


class Checker(unittest.TestCase):
    def doctored(self, case, **fields):
        reports = copy.deepcopy(good_reports())
        reports[case].update(fields)
        found = faults(reports)
        self.assertEqual({name for name, _ in found}, {case}, found)

    def test_good_reports_pass(self):
        self.assertEqual(faults(good_reports()), [])

    def test_every_case_has_its_code(self):
        self.assertEqual(len(CASES), 517)
        self.assertEqual(sum(map(check.is_compressed, CASES)), 216)
        self.assertEqual(TABLE["1.1.1"], ("answers", 1000))
        self.assertEqual(TABLE["2.5"], ("fails", 1002))
        self.assertEqual(TABLE["6.14.10"], ("fails", 1007))
        self.assertEqual(TABLE["7.3.1"], ("answers", None))

    def test_a_case_in_two_lines_is_refused(self):
        with self.assertRaises(AssertionError):
            check.parse_table("answers 1000 1.1.1-3\nfails 1002 1.1.2")

    def test_missing_case(self):
        reports = good_reports()
        del reports["9.8.6"]
        self.assertEqual([case for case, _ in faults(reports)], ["9.8.6"])

    def test_case_that_the_suite_does_not_know(self):
        self.assertEqual([case for case, _ in faults(good_reports(), CASES[1:])], ["1.1.1", "1.1.1"])

    def test_case_that_the_table_does_not_know(self):
        table = {case: TABLE[case] for case in CASES[1:]}
        self.assertEqual([case for case, _ in faults(good_reports(), table=table)], ["1.1.1"])

    def test_wrong_agent(self):
        self.assertEqual([case for case, _ in faults(good_reports(), agents=["ws-proto", "other"])], ["index"])
        self.assertEqual(len(faults(good_reports(), agents=[])), 1 + len(CASES))

    def test_case_in_two_folders(self):
        both = [{check.AGENT: {"1.1.1": {"reportfile": "1.1.1"}}}] * 2
        found = check.check(both, [], {}, None)
        self.assertIn(("1.1.1", "is reported twice"), found)

    def test_compression(self):
        self.doctored("12.1.1", behavior="UNIMPLEMENTED")
        self.doctored("12.1.1", httpResponse=good_response("1.1.1"))
        self.doctored("12.5.18", httpResponse=good_response("13.2.1"))
        self.doctored("13.3.1", httpResponse=good_response("12.1.1"))
        self.doctored("13.3.1", isServer=True)
        self.doctored("13.7.1", httpResponse=good_response("13.2.1"))

    def test_messages(self):
        self.doctored("12.1.1", trafficStats=None)
        self.doctored("12.1.1", trafficStats=good_traffic() | {"incomingWebSocketMessages": 999})
        self.doctored("12.1.1", trafficStats=good_traffic() | {"outgoingWebSocketMessages": 999})
        self.doctored("12.1.1", trafficStats=good_traffic() | {"incomingOctetsWebSocketLevel": 256_000})
        short = {"incomingOctetsAppLevel": 64_000, "incomingOctetsWebSocketLevel": 68_001}
        self.doctored("12.1.2", trafficStats=good_traffic() | short)

    def test_non_strict_behavior(self):
        self.doctored("6.4.1", behavior="NON-STRICT")

    def test_failed_behavior(self):
        self.doctored("1.1.1", behavior="FAILED")

    def test_bad_close(self):
        for verdict in ("FAILED", "UNCLEAN", "WRONG CODE", "FAILED BY CLIENT", "INFORMATIONAL"):
            self.doctored("3.2", behaviorClose=verdict)

    def test_informational_where_it_is_not_allowed(self):
        self.doctored("7.1.5", behavior="INFORMATIONAL")

    def test_no_close_frame(self):
        self.doctored("3.2", remoteCloseCode=None, rxFrameStats={"1": 1})
        self.doctored("7.3.1", rxFrameStats={})
        self.doctored("7.13.1", remoteCloseCode=None, rxFrameStats={})

    def test_two_close_frames(self):
        self.doctored("7.1.2", rxFrameStats={"8": 2})

    def test_wrong_close_code(self):
        self.doctored("6.3.1", remoteCloseCode=1002)
        self.doctored("7.7.2", remoteCloseCode=1000)
        self.doctored("7.3.1", remoteCloseCode=1000)

    def test_reason_in_an_answer(self):
        self.doctored("7.3.4", remoteCloseReason="Hello World!")

    def test_unclean_close(self):
        self.doctored("7.9.1", wasClean=False)

    def test_timeouts(self):
        self.doctored("1.1.1", wasOpenHandshakeTimeout=True)
        self.doctored("1.1.1", wasCloseHandshakeTimeout=True)
        self.doctored("1.1.1", wasServerConnectionDropTimeout=True)
        self.doctored("5.1", wirelog=[["KL", 1], ["KLE"]])

    def test_who_ends_the_connection(self):
        self.doctored("1.1.1", droppedByMe=True)
        reports = good_reports()
        reports["1.1.1"].update(droppedByMe=True, isServer=True)
        self.assertEqual(faults(reports), [])

    def test_report_on_another_case(self):
        self.doctored("1.1.1", id="1.1.2")


if __name__ == "__main__":
    unittest.main()
