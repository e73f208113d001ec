"""Counts test cases: reads a Bazel build event file (JSON lines), prints `passed failed skipped` as its last line.

A GoogleTest case is one; a target of any other kind is one, skipped if it succeeds and prints a line that starts with
"SKIPPED:". A test target without a result (it did not build, or was not run) is one failure. What was skipped is named.
"""

import json
import sys
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ElementTree


def read_events(path):
    """Returns (all test labels, label -> list of (status, path of test.xml)); the last attempt of a run decides."""
    labels, runs = set(), {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            kind = event["id"]
            if "targetConfigured" in kind and event.get("configured", {}).get("targetKind", "").endswith("_test rule"):
                labels.add(kind["targetConfigured"]["label"])
            if "testResult" in kind and "testResult" in event:
                key, result = kind["testResult"], event["testResult"]
                files = {file["name"]: file.get("uri", "") for file in result.get("testActionOutput", [])}
                xml = urllib.request.url2pathname(urllib.parse.urlparse(files.get("test.xml", "")).path)
                labels.add(key["label"])
                runs[key["label"], key.get("run"), key.get("shard")] = (result.get("status"), xml)
    results = {}
    for (label, _, _), result in runs.items():
        results.setdefault(label, []).append(result)
    return labels, results


def case_outcome(case, suite):
    """Returns "passed", "failed" or "skipped" for one <testcase>."""
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    printed = suite.findtext("system-out") or ""
    not_run = case.get("result") in ("skipped", "suppressed") or case.get("status") == "notrun"
    if not_run or case.find("skipped") is not None or any(l.startswith("SKIPPED:") for l in printed.splitlines()):
        return "skipped"
    return "passed"


def count_target(label, status, xml):
    """Returns the outcomes of one run of one target."""
    try:
        suites = ElementTree.parse(xml).getroot().iter("testsuite")
        cases = [(f"{suite.get('name')}.{case.get('name')}", case_outcome(case, suite))
                 for suite in suites for case in suite.iter("testcase")]
    except (OSError, ElementTree.ParseError):
        cases = []
    for name, outcome in cases:
        if outcome == "skipped":
            print(f"test: skipped {label} {name}")
    outcomes = [outcome for _, outcome in cases]
    if status != "PASSED" and "failed" not in outcomes:
        outcomes.append("failed")
    return outcomes or ["passed"]


def main():
    labels, results = read_events(sys.argv[1])
    outcomes = []
    for label in sorted(labels):
        for status, xml in results.get(label, [("NO_STATUS", "")]):
            outcomes += count_target(label, status, xml)
    print(*(outcomes.count(kind) for kind in ("passed", "failed", "skipped")))


main()
