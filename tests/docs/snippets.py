"""Runs the code blocks of a document, as a reader would who types them in.

The blocks of one language, one after another, are one program: sh (bash -euo pipefail), python, c (C99, against the SDK). A
block with a file name behind its language, ```textproto tiny.textproto, is that file. Blocks without a language are output.
A block behind the line <!-- not run: REASON --> is left out; only what builds with Bazel or sets the machine up may be.
"""

import dataclasses
import os
import pathlib
import re
import subprocess

SECONDS = 240
LANGUAGES = ("sh", "python", "c")
MAY_BE_LEFT_OUT = re.compile(r"\bbazel\b|tools/(quickstart|test)\.sh")
NOT_RUN = re.compile(r"^<!-- not run: (\S.*) -->$")


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
    for number, line in enumerate(pathlib.Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if block is None and line.startswith("```"):
            words = line[3:].split()
            reason = NOT_RUN.match(before)
            block = Block(words[0] if words else "", words[1] if len(words) > 1 else "", number + 1, "",
                          reason[1] if reason else "")
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
    if block.reason and not MAY_BE_LEFT_OUT.search(block.code):
        raise DocumentError(f"{path}:{block.line}: expected a block that is run, got one left out ({block.reason})")
    if block.language not in LANGUAGES and block.language not in ("", "text") and not block.file:
        raise DocumentError(f"{path}:{block.line}: expected one of {', '.join(LANGUAGES)} or a file's name, got "
                            f"{block.language!r}")


def program_of(path, blocks, language):
    """One program whose line numbers are the document's."""
    name = os.path.basename(path)
    if language == "c":
        return "".join(f'#line {block.line} "{name}"\n{block.code}' for block in blocks)
    lines = []
    for block in blocks:
        lines += [""] * (block.line - 1 - len(lines)) + block.code.splitlines()
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
            run_program(path, folder, environment, language, program_of(path, chosen, language))
    return [f"{os.path.basename(path)}:{block.line}: {block.reason}" for block in blocks if block.reason]


def run_program(path, folder, environment, language, text):
    """Raises DocumentError unless it ends well."""
    source = folder / f"{os.path.basename(path)}.{language}"
    source.write_text(text, encoding="utf-8")
    commands = {
        "sh": [["bash", "-euo", "pipefail", source]],
        "python": [["python3", source]],
        "c": [["sh", "-c", f"cc -std=c99 -Wall -Wextra -pedantic -Werror '{source}' -o snippets "
               "$(pkg-config --cflags --libs bitgate)"], ["./snippets"]],
    }
    for command in commands[language]:
        process = subprocess.run([str(word) for word in command], cwd=folder, env=environment, text=True, check=False,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS)
        if process.returncode != 0:
            raise DocumentError(f"{path}: its {language} blocks failed with exit status {process.returncode}; line numbers "
                                f"are the document's\n{process.stdout[-6000:]}")
