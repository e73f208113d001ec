"""The runner of code blocks runs them, in one program a language, and says which line failed."""

import os
import pathlib
import tempfile
import time
import unittest
from unittest import mock

import snippets


class SnippetsTest(unittest.TestCase):

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def run_text(self, text):
        document = self.folder / "document.md"
        document.write_text(text, encoding="utf-8")
        # A library of that name that needs no flags: C blocks are compiled without the SDK here.
        (self.folder / "bitgate.pc").write_text("Name: bitgate\nDescription: none\nVersion: 0\n", encoding="utf-8")
        return snippets.run_document(document, self.folder, {**os.environ, "PKG_CONFIG_PATH": str(self.folder)})

    def assert_fails(self, text, *parts):
        with self.assertRaises(snippets.DocumentError) as caught:
            self.run_text(text)
        for part in parts:
            self.assertIn(part, str(caught.exception))

    def test_blocks_of_a_language_are_one_program(self):
        self.run_text("```sh\nx=3\n```\n```python\ny = 4\n```\n```sh\necho $x >x\n```\n"
                      "```python\nopen('y', 'w').write(str(y))\n```\n")
        self.assertEqual((self.folder / "x").read_text(), "3\n")
        self.assertEqual((self.folder / "y").read_text(), "4")

    def test_a_file_is_written_first(self):
        self.run_text("```sh\ngrep -q word file.txt\n```\n```textproto file.txt\nword\n```\n")

    def test_output_is_not_run(self):
        self.run_text("```\nfalse\n```\n```text\nfalse\n```\n")

    def test_failures_name_the_line(self):
        self.assert_fails("one\n\n```python\nx = 1\n```\n\n```python\nraise ValueError(x)\n```\n", "line 8", "ValueError: 1")
        self.assert_fails("one\n\n```sh\nset -u\necho $nothing\n```\n", "line 5")
        self.assert_fails("one\n\n```sh\nf() { false; }\n```\n\n```sh\ntrue\nf\n```\n", "document.md, line 4",
                          "exit status 1")
        self.assert_fails("one\n\n```python\nx = '\f'\n```\n\n```python\nraise ValueError(1)\n```\n", "line 8")
        self.assert_fails("one\n\n```c\nint main(void) {\n```\n\n```c\n  return nothing;\n}\n```\n",
                          "document.md:8:", "nothing")

    def test_c_is_c99_without_warnings_and_run(self):
        self.run_text("```c\n#include <stdio.h>\nint main(void) {\n```\n"
                      "```c\n  return fclose(fopen(\"made\", \"w\"));\n}\n```\n")
        self.assertTrue((self.folder / "made").exists())
        self.assert_fails("```c\nint main(void) {\n  int unused = 1;\n  return 0;\n}\n```\n", "document.md:3:", "unused")
        self.assert_fails("```c\nint main(void) { return 3; }\n```\n", "c blocks (lines 2) failed: exit status 3")

    def test_no_block_ends_the_program_before_the_last(self):
        self.assert_fails("```sh\nexit 0\n```\n```sh\nfalse\n```\n", "lines 2, 5", "exit status 0 before")
        self.assert_fails("```python\nraise SystemExit\n```\n```python\n1 / 0\n```\n", "lines 2, 5", "exit status 0 before")

    def test_what_does_not_end_is_killed_and_shown(self):
        begin = time.monotonic()
        with mock.patch.object(snippets, "SECONDS", 1):
            self.assert_fails("```sh\necho so far\n(sleep 2 && touch late) &\nsleep 60\n```\n", "no end within 1 s", "so far")
        self.assertLess(time.monotonic() - begin, 20)
        time.sleep(2)
        self.assertFalse((self.folder / "late").exists())

    def test_every_command_counts(self):
        self.assert_fails("```sh\nfalse\ntrue\n```\n", "exit status 1")

    def test_what_could_be_run_is(self):
        reasons = self.run_text("<!-- not run: it builds -->\n```sh\nbazel build //...\n```\n")
        self.assertEqual(reasons, ["document.md:3: it builds"])
        self.assert_fails("<!-- not run: lazy -->\n```sh\ntrue\n```\n", "lazy")
        self.assert_fails("<!-- not run: lazy -->\n```sh\ntrue  # bazel\n```\n", "lazy")
        self.assert_fails("<!-- not run: lazy -->\n```python\nbazel = 1\n```\n", "lazy")
        for comment in ("<!-- not run: -->", "<!-- not run -->", "<!--not run:-->"):
            self.assert_fails(f"{comment}\n```sh\nbazel build //...\n```\n", "document.md:1: expected a reason")
        self.assert_fails("<!-- not run: it builds -->\n\n```sh\nbazel build //...\n```\n", "document.md:2:", "right behind")

    def test_documents_that_are_no_good(self):
        self.assert_fails("```sh\ntrue\n", "end of a block")
        self.assert_fails("```fortran\nend\n```\n", "fortran")
        self.assert_fails("- text\n  ```sh\n  true\n  ```\n", "document.md:2:", "left margin")
        self.assert_fails("~~~sh\ntrue\n~~~\n", "document.md:1:", "left margin")
        self.assert_fails("```text ../file\nword\n```\n", "without a folder")


if __name__ == "__main__":
    unittest.main()
