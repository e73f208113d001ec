"""The binary interface as data, what may become of it, and the program that writes it down.

    bazel run //tests/abi:snapshot                # where the header differs from the snapshot of its version
    bazel run //tests/abi:snapshot -- --update    # writes down what was added, or the snapshot of a new version
    snapshot.py --layout_program=layout.c ...     # (the build) the program that measures the header
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import header as header_text

ADVICE = "raise BG_ABI_VERSION, or leave it and add a function or struct with _v2 at the end of its name"


def take(parsed, layout):
    """Returns the snapshot of a header: `layout` is what its layout program printed."""
    constants = dict(layout["constants"])
    return {
        "version": constants.pop("BG_ABI_VERSION"),
        "constants": constants,
        "functions": {name: function.signature() for name, function in sorted(parsed.functions.items())},
        "callbacks": dict(sorted(parsed.callbacks.items())),
        "handles": sorted(parsed.handles),
        "enums": dict(sorted(layout["enums"].items())),
        "structs": dict(sorted(layout["structs"].items())),
    }


def _compare_struct(name, before, after):
    problems = []
    fields = {field[0]: field[1:] for field in after["fields"]}
    for field, kind, offset, size in before["fields"]:
        if field not in fields:
            problems.append(f"{name}.{field} is gone")
        elif fields[field] != [kind, offset, size]:
            got = fields[field]
            problems.append(f"{name}.{field} was {kind} of {size} bytes at {offset}, "
                            f"is {got[0]} of {got[2]} at {got[1]}")
    known = {field[0] for field in before["fields"]}
    for field, _, offset, _ in after["fields"]:
        if field not in known and offset < before["size"]:
            problems.append(f"{name}.{field} is new and lies at {offset}, "
                            f"where older programs' {before['size']} bytes are")
    if after["size"] < before["size"]:
        problems.append(f"{name} shrank from {before['size']} to {after['size']} bytes")
    if after["size"] > before["size"] and before["fields"][0][0] != "struct_size":
        problems.append(f"{name} grew from {before['size']} to {after['size']} bytes and has no struct_size to tell")
    return problems


def compare(before, after):
    """Returns what an older program cannot live with, a sentence each. What was added is fine."""
    if after["version"] > before["version"]:
        return []
    if after["version"] < before["version"]:
        return [f"BG_ABI_VERSION fell from {before['version']} to {after['version']}"]
    problems = []
    for kind in ("constants", "functions", "callbacks"):
        for name, value in before[kind].items():
            if name not in after[kind]:
                problems.append(f"{name} is gone")
            elif after[kind][name] != value:
                problems.append(f"{name} was {value}, is {after[kind][name]}")
    problems += [f"{name} is gone" for name in before["handles"] if name not in after["handles"]]
    for enum, values in before["enums"].items():
        now = after["enums"].get(enum)
        if now is None:
            problems.append(f"{enum} is gone")
            continue
        for name, value in values.items():
            if name not in now:
                problems.append(f"{name} is gone")
            elif now[name] != value:
                problems.append(f"{name} was {value}, is {now[name]}")
        taken = {value: name for name, value in values.items()}
        for name, value in now.items():
            if name not in values and value in taken:
                problems.append(f"{name} takes the number {value} of {taken[value]}")
    for name, struct in before["structs"].items():
        if name not in after["structs"]:
            problems.append(f"{name} is gone")
        else:
            problems += _compare_struct(name, struct, after["structs"][name])
    return problems


def measured(header_path, layout_binary):
    parsed = header_text.parse(header_path)
    printed = subprocess.run([layout_binary], check=True, capture_output=True, text=True).stdout
    return take(parsed, json.loads(printed))


def to_text(snapshot):
    """JSON with one function, struct or enum a line, so that changes are seen in a review."""
    def value(of):
        if not isinstance(of, dict):
            return json.dumps(of)
        return "{\n" + ",\n".join(f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in of.items()) + "\n  }"
    return "{\n" + ",\n".join(f'  "{key}": {value(part)}' for key, part in snapshot.items()) + "\n}\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--header", required=True)
    parser.add_argument("--layout_program", help="write the program here, and nothing else")
    parser.add_argument("--layout", help="the compiled program")
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    if options.layout_program:
        program = header_text.layout_program(header_text.parse(options.header), "api/c/bitgate.h")
        pathlib.Path(options.layout_program).write_text(program, encoding="utf-8")
        return 0
    now = measured(options.header, options.layout)
    folder = pathlib.Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."), "tests/abi")
    path = folder / f"snapshot_{now['version']}.json"
    problems = compare(json.loads(path.read_text(encoding="utf-8")), now) if path.exists() else []
    for problem in problems:
        print(f"{problem}; {ADVICE}")
    if problems:
        return 1
    if options.update:
        path.write_text(to_text(now), encoding="utf-8")
    elif not path.exists() or path.read_text(encoding="utf-8") != to_text(now):
        print(f"{path}: the header has more; --update writes it down")
    return 0


if __name__ == "__main__":
    sys.exit(main())
