"""The runner of code blocks runs them, in one program a language, and says which line failed."""

import os
import pathlib
import tempfile
import unittest

import snippets



class SnippetsTest(unittest.TestCase):

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def run_text(self, text):
        document = self.folder / "document.md"
        document.write_text(text, encoding="utf-8")
        return snippets.run_document(document, self.folder, dict(os.environ))

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

    def test_every_command_counts(self):
        self.assert_fails("```sh\nfalse\ntrue\n```\n", "exit status 1")

    def test_what_could_be_run_is(self):
        reasons = self.run_text("<!-- not run: it builds -->\n```sh\nbazel build //...\n```\n")
        self.assertEqual(reasons, ["document.md:3: it builds"])
        self.assert_fails("<!-- not run: lazy -->\n```sh\ntrue\n```\n", "lazy")
        self.assert_fails("<!-- not run: -->\n```sh\nexit 3\n```\n", "exit status 3")  # no reason: it is run

    def test_documents_that_are_no_good(self):
        self.assert_fails("```sh\ntrue\n", "end of a block")
        self.assert_fails("```fortran\nend\n```\n", "fortran")


if __name__ == "__main__":
    unittest.main()
