"""Every op of ops/op_list.inc is there in C and in Python."""

import pathlib
import re
import unittest

import bitgate

# What only trainers call, on data sets of theirs.
INNER = {"GatherImages"}


def listed_ops():
    text = pathlib.Path("ops/op_list.inc").read_text(encoding="utf-8")
    return [op for op in re.findall(r"^BG_OP\((\w+),", text, re.MULTILINE) if op not in INNER]


def snake_case(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class OpDoorsTest(unittest.TestCase):

    def test_there_are_ops(self):
        self.assertGreater(len(listed_ops()), 20)

    def test_in_c(self):
        header = pathlib.Path("api/c/bitgate.h").read_text(encoding="utf-8")
        for op in listed_ops():
            self.assertIn(f"BG_API bg_status bg_{snake_case(op)}(bg_context* context", header, op)

    def test_in_python(self):
        for op in listed_ops():
            function = getattr(bitgate.ops, snake_case(op), None)
            self.assertTrue(callable(function), op)
            self.assertTrue(function.__doc__, op)


if __name__ == "__main__":
    unittest.main()
