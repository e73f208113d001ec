"""Runs the code blocks of a document, as a reader would who types them in.

The blocks of one language, one after another, are one program: sh (bash -euo pipefail), python, c (C99, against the SDK). A
block with a file name behind its language, ```textproto tiny.textproto, is that file. Blocks without a language are output.
A block behind the line <!-- not run: REASON --> is left out; only what builds with Bazel or sets the machine up may be.
"""

import dataclasses
import os
import pathlib
import re
import signal
import subprocess

SECONDS = 240
LANGUAGES = ("sh", "python", "c")
# At the beginning of a command: a comment does not count.
MAY_BE_LEFT_OUT = re.compile(r"^(?:[^#\n]*(?:&&|;|\|))?\s*(?:bazel|tools/quickstart\.sh|tools/test\.sh)(?:\s|$)", re.MULTILINE)
NOT_RUN = re.compile(r"^<!--\s*not run\b:?\s*(.*?)\s*-->$")
FENCE = re.compile(r"^\s*(?:[-*+>]\s+|\d+[.)]\s+)?(?:```|~~~)")  # also those that only look like one of ours
# What tells the line of a command that failed without a word.
TRAP = "set -E; trap 'echo \"{name}, line $LINENO: exit status $?: $BASH_COMMAND\" >&2' ERR; "


@dataclasses.dataclass
class Block:
    """A fenced block: line numbers count from 1, of its first line of code."""

    language: str
    file: str
    line: int
    code: str
    reason: str  # why it is not run; "": it is


class DocumentError(Exception):
    """A document that is no good, or a block that failed."""


def read_blocks(path):
    """The blocks in their order. Raises DocumentError for a fence that does not end, or a block wrongly left out."""
    blocks, block, before = [], None, ""
    # Not splitlines(), for which a form feed begins a line too.
    for number, line in enumerate(pathlib.Path(path).read_text(encoding="utf-8").split("\n"), 1):
        if block is None and line.startswith("```"):
            words = line[3:].split()
            left_out = NOT_RUN.match(before)
            if left_out and not left_out[1]:
                raise DocumentError(f"{path}:{number - 1}: expected a reason, <!-- not run: REASON -->, got none")
            block = Block(words[0] if words else "", words[1] if len(words) > 1 else "", number + 1, "",
                          left_out[1] if left_out else "")
        elif block is None and FENCE.match(line):
            raise DocumentError(f"{path}:{number}: expected a block that begins with ``` at the left margin, got {line!r}")
        elif block is None and NOT_RUN.match(before):
            raise DocumentError(f"{path}:{number}: expected a block right behind {before!r}, got {line!r}")
        elif block is not None and line.rstrip() == "```":
            check_block(path, block)
            blocks.append(block)
            block = None
        elif block is not None:
            block.code += line + "\n"
        before = line
    if block is not None:
        raise DocumentError(f"{path}:{block.line}: expected the end of a block, got the end of the document")
    return blocks


def check_block(path, block):
    """Raises DocumentError for one that is not run and could be, or that nobody knows how to run."""
    if block.reason and not (block.language == "sh" and MAY_BE_LEFT_OUT.search(block.code)):
        raise DocumentError(f"{path}:{block.line}: expected a block that is run, got one left out ({block.reason})")
    if block.language not in LANGUAGES and block.language not in ("", "text") and not block.file:
        raise DocumentError(f"{path}:{block.line}: expected one of {', '.join(LANGUAGES)} or a file's name, got "
                            f"{block.language!r}")
    if block.file != os.path.basename(block.file):
        raise DocumentError(f"{path}:{block.line}: expected a file's name without a folder, got {block.file!r}")


def program_of(path, blocks, language):
    """One program whose line numbers are the document's. At its end it leaves a file: none may end it before."""
    name = os.path.basename(path)
    if language == "c":
        return "".join(f'#line {block.line} "{name}"\n{block.code}' for block in blocks)
    lines = []
    for block in blocks:
        lines += [""] * (block.line - 1 - len(lines)) + block.code.split("\n")[:-1]
    if language == "sh":
        lines[0] = TRAP.format(name=name) + lines[0]
    lines.append({"sh": ": >sh.ended", "python": "open('python.ended', 'w').close()"}[language])
    return "\n".join(lines) + "\n"


def run_document(path, folder, environment):
    """Runs all of it in the folder. Raises DocumentError with the output of what failed; returns the reasons given."""
    blocks = read_blocks(path)
    for block in blocks:
        if block.file:
            (folder / block.file).write_text(block.code, encoding="utf-8")
    for language in LANGUAGES:
        chosen = [block for block in blocks if block.language == language and not block.file and not block.reason]
        if chosen:
            run_program(path, folder, environment, language, chosen)
    return [f"{os.path.basename(path)}:{block.line}: {block.reason}" for block in blocks if block.reason]


def run_program(path, folder, environment, language, chosen):
    """Raises DocumentError unless it ends well, and at its end."""
    source = folder / f"{os.path.basename(path)}.{language}"
    source.write_text(program_of(path, chosen, language), encoding="utf-8")
    commands = {
        "sh": [["bash", "-euo", "pipefail", source]],
        "python": [["python3", source]],
        "c": [["sh", "-c", f"cc -std=c99 -Wall -Wextra -pedantic -Werror '{source}' -o snippets "
               "$(pkg-config --cflags --libs bitgate)"], ["./snippets"]],
    }
    where = f"{path}: its {language} blocks (lines {', '.join(str(block.line) for block in chosen)})"
    for command in commands[language]:
        status, output = run_command([str(word) for word in command], folder, environment)
        if status != "exit status 0":
            raise DocumentError(f"{where} failed: {status}; line numbers are the document's\n{output[-6000:]}")
    if language != "c" and not (folder / f"{language}.ended").exists():
        raise DocumentError(f"{where}: expected the last to be run to its end, got exit status 0 before")


def run_command(command, folder, environment):
    """How it ended, and what it wrote. One that does not end is killed with its children."""
    with open(folder / "snippets.output", "w+", encoding="utf-8", errors="replace") as output:
        with subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                              stderr=subprocess.STDOUT, start_new_session=True) as process:
            try:
                status = f"exit status {process.wait(SECONDS)}"
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                status = f"no end within {SECONDS} s"
        output.seek(0)
        return status, output.read()
