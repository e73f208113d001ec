"""What the shared library exports and needs; and that the C tests reach all of the interface."""

import argparse
import pathlib
import re
import subprocess
import sys
import unittest

import header as header_text

# oneDNN may travel under a name of ours.
ALLOWED = (r"lib(bitgate_?)?dnnl[^/]*", r"libOpenCL\.so\.1", r"libstdc\+\+\.so\.6", r"libm\.so\.6", r"libgomp\.so\.1",
           r"libgcc_s\.so\.1", r"libc\.so\.6", r"ld-linux-x86-64\.so\.2")


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def dynamic(kind):
    """The values of a kind of entry in the library's dynamic section."""
    return re.findall(rf"\({kind}\)[^\[]*\[(.*)\]", output_of("readelf", "-dW", OPTIONS.library))


class LibraryTest(unittest.TestCase):

    def exported(self):
        symbols = [line.split() for line in output_of("nm", "-D", "--defined-only", OPTIONS.library).splitlines()]
        return sorted(name for _, kind, name in symbols if kind.isupper())  # lower case: local

    def test_exports_are_the_list_and_the_header(self):
        listed = pathlib.Path(OPTIONS.exports).read_text(encoding="utf-8").split()
        self.assertEqual(listed, sorted(listed))
        self.assertEqual(self.exported(), listed, "exports.txt lists what the library exports")
        self.assertEqual(sorted(PARSED.functions), listed, "exports.txt lists what bitgate.h declares")

    def test_name_is_that_of_the_interface(self):
        version = re.search(r"#define BG_ABI_VERSION (\d+)", pathlib.Path(OPTIONS.header).read_text(encoding="utf-8"))
        self.assertEqual(dynamic("SONAME"), [f"libbitgate.so.{version[1]}"])

    def test_needs_nothing_but_the_usual(self):
        needed = dynamic("NEEDED")
        self.assertIn("libc.so.6", needed)
        unusual = [name for name in needed if not any(re.fullmatch(pattern, name) for pattern in ALLOWED)]
        self.assertEqual(unusual, OPTIONS.also_needs)


class CoverageTest(unittest.TestCase):
    """By their text: that a function is called and a pointer is left out is for the C tests themselves to check."""

    def setUp(self):
        self.sources = {pathlib.Path(path).name: pathlib.Path(path).read_text(encoding="utf-8")
                        for path in OPTIONS.sources.split(",")}

    def test_every_function_is_called(self):
        called = set(re.findall(r"\b(bg_\w+)\(", "\n".join(self.sources.values())))
        self.assertEqual(sorted(set(PARSED.functions) - called), [])

    def test_every_pointer_is_tried_as_null(self):
        tried = set(re.findall(r"NULL_\w+\((bg_\w+),\s*(\w+)", "\n".join(self.sources.values())))
        pointers = {(name, parameter.name) for name, function in PARSED.functions.items()
                    for parameter in function.parameters
                    if "*" in parameter.type or parameter.type in PARSED.callbacks}
        self.assertEqual(sorted(pointers - tried), [])
        self.assertEqual(sorted(tried - pointers), [])


if __name__ == "__main__":
    flags = argparse.ArgumentParser()
    flags.add_argument("--library", required=True)
    flags.add_argument("--header", required=True)
    flags.add_argument("--exports", required=True)
    flags.add_argument("--also_needs", action="append", default=[], help="a library that only this build needs")
    flags.add_argument("--sources", required=True, help="of the C tests, with commas")
    OPTIONS, rest = flags.parse_known_args()
    PARSED = header_text.parse(OPTIONS.header)
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
