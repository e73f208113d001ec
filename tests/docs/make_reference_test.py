"""What has no documentation is found: in a header with a comment gone, in modules made here."""

import pathlib
import sys
import tempfile
import types
import unittest

import make_reference

DOXYFILE = pathlib.Path(sys.argv.pop())
HEADER = pathlib.Path(sys.argv.pop())


class Documented:
    """It is."""

    def method(self):
        """It is."""

    def silent(self):
        pass

    @property
    def value(self):
        pass


class Heir(Documented):
    pass


def signed():
    """signed() -> None"""


class MakeReferenceTest(unittest.TestCase):

    def warnings(self, old="", new=""):
        text = HEADER.read_text(encoding="utf-8")
        self.assertIn(old, text)
        with tempfile.TemporaryDirectory() as temporary:
            header = pathlib.Path(temporary) / "bitgate.h"
            header.write_text(text.replace(old, new, 1), encoding="utf-8")
            pages = pathlib.Path(temporary) / "pages"
            pages.mkdir()
            return "\n".join(make_reference.make_c(header, DOXYFILE, pages))

    def test_header(self):
        self.assertEqual(self.warnings(), "")

    def test_declarations_without_a_comment(self):
        for name, comment in (
            ("bg_relu", "/** max(x, 0). */\n"),
            ("bg_model", "/** A network with its parameters and quantizers. */\n"),
            ("bg_images_callback",
             "/** Called while images go through; anything but 0 stops: the call returns ::BG_STATUS_CANCELLED. */\n"),
            ("bg_dtype", "/** Element types. */\n"),
            ("bg_epoch", "/** An epoch that has ended. */\n"),
            ("BG_GATE_CLOSED", "/** The same, and it stays closed. */\n"),
        ):
            with self.subTest(name):
                self.assertRegex(self.warnings(comment), rf"\b{name}\b.* is not documented")

    def test_link_to_nowhere(self):
        self.assertIn("bg_nothing", self.warnings("/** max(x, 0). */", "/** max(x, 0), see #bg_nothing. */"))

    def test_module(self):
        module = types.ModuleType("module")
        module.__all__ = ["Documented", "Heir", "signed"]
        vars(module).update(Documented=Documented, Heir=Heir, signed=signed)
        self.assertEqual(
            make_reference.undocumented_in_python([module]),
            ["module", "module.Documented.silent", "module.Documented.value", "module.Heir", "module.signed"])


unittest.main()
