"""The header against the snapshot of its version; and that a header that breaks programs would be found."""

import argparse
import copy
import json
import os
import pathlib
import sys
import unittest

import header as header_text
import snapshot


class HeaderTest(unittest.TestCase):
    """bitgate.h as it is."""

    def setUp(self):
        self.now = snapshot.measured(OPTIONS.header, OPTIONS.layout)

    def test_programs_of_this_version_go_on_working(self):
        path = pathlib.Path(OPTIONS.folder, f"snapshot_{self.now['version']}.json")
        self.assertTrue(path.exists(), f"expected {path.name} beside the older ones: "
                        "bazel run //tests/abi:snapshot -- --update")
        problems = snapshot.compare(json.loads(path.read_text(encoding="utf-8")), self.now)
        self.assertEqual(problems, [], f"\n  {snapshot.ADVICE}")

    def test_structs_without_a_size_are_the_ones_that_cannot_grow(self):
        without = {name for name, struct in self.now["structs"].items() if struct["fields"][0][0] != "struct_size"}
        self.assertEqual(without, {"bg_attribute"})

    def test_fields_lie_as_on_other_systems(self):
        """No holes within, so that the layout is the same wherever a type is aligned to its size."""
        for name, struct in self.now["structs"].items():
            end = 0
            for field, _, offset, size in struct["fields"]:
                self.assertEqual(offset, end, f"{name}.{field} has a hole before it")
                end = offset + size


class ParserTest(unittest.TestCase):
    """What is declared in ways that the parser does not know is an error, not left out."""

    def parse(self, *changes):
        text = pathlib.Path(OPTIONS.header).read_text(encoding="utf-8")
        for old, new in changes:
            self.assertIn(old, text)
            text = text.replace(old, new, 1)
        path = pathlib.Path(OPTIONS.temporary, "header.h")
        path.write_text(text, encoding="utf-8")
        return header_text.parse(path)

    def test_reads_functions(self):
        functions = self.parse().functions
        self.assertEqual(functions["bg_abi_version"].signature(), "uint32_t bg_abi_version(void)")
        self.assertEqual(functions["bg_tensor_borrow"].parameters[5].type, "void (*)(void*)")
        self.assertEqual(functions["bg_dataset_image_shape"].parameters[1].type, "int64_t*")
        self.assertEqual(functions["bg_graph_builder_node"].parameters[3].type, "const char* const*")

    def test_reads_structs(self):
        fields = {(field.name, field.type) for field in self.parse().structs["bg_conv2d_params"]}
        self.assertEqual(fields, {("struct_size", "uint32_t"), ("activation", "int32_t"), ("stride", "int64_t[2]"),
                                  ("padding", "int64_t[2]"), ("groups", "int64_t")})
        self.assertEqual([field.name for field in self.parse().structs["bg_callbacks"]],
                         ["struct_size", "reserved", "step", "epoch", "user_data", "requantized"])

    def test_refuses_what_it_does_not_know(self):
        place = "/** An epoch that has ended. */"
        for hidden in ("struct bg_hidden { int a; };", "typedef union bg_both { int a; float b; } bg_both;",
                       "typedef int bg_number;", "extern BG_API int bg_global;"):
            with self.assertRaises(ValueError, msg=hidden):
                self.parse((place, hidden))


class GuardTest(unittest.TestCase):
    """The comparison, on changed snapshots."""

    def setUp(self):
        self.before = snapshot.measured(OPTIONS.header, OPTIONS.layout)
        self.after = copy.deepcopy(self.before)

    def assert_problems(self, *patterns):
        problems = snapshot.compare(self.before, self.after)
        self.assertEqual(len(problems), len(patterns), problems)
        for problem, pattern in zip(problems, patterns):
            self.assertRegex(problem, pattern)

    def field(self, struct, name):
        return next(field for field in self.after["structs"][struct]["fields"] if field[0] == name)

    def test_the_same_is_fine(self):
        self.assert_problems()

    def test_a_function_that_is_gone(self):
        del self.after["functions"]["bg_relu"]
        self.assert_problems("^bg_relu is gone$")

    def test_another_signature(self):
        self.after["functions"]["bg_scale"] = self.before["functions"]["bg_scale"].replace("float", "double")
        self.assert_problems(r"^bg_scale was bg_status bg_scale\(.*float.*is .*double")

    def test_another_function_type(self):
        self.after["callbacks"]["bg_images_callback"] = "int32_t (*)(void*)"
        self.assert_problems("^bg_images_callback was")

    def test_a_renumbered_enumerator(self):
        self.after["enums"]["bg_dtype"]["BG_INT8"] = 7
        self.assert_problems("^BG_INT8 was 2, is 7$")

    def test_an_enumerator_that_is_gone_and_its_number_taken(self):
        del self.after["enums"]["bg_dtype"]["BG_INT8"]
        self.after["enums"]["bg_dtype"]["BG_INT64"] = 2
        self.assert_problems("^BG_INT8 is gone$", "^BG_INT64 takes the number 2 of BG_INT8$")

    def test_another_constant(self):
        self.after["constants"]["BG_GATE_OPEN"] = -3
        self.assert_problems("^BG_GATE_OPEN was -1, is -3$")

    def test_a_handle_a_struct_or_an_enum_that_is_gone(self):
        self.after["handles"].remove("bg_model")
        del self.after["structs"]["bg_epoch"]
        del self.after["enums"]["bg_split"]
        self.assert_problems("bg_model is gone", "bg_split is gone", "bg_epoch is gone")

    def test_a_field_that_moved(self):
        self.field("bg_evaluation", "correct")[2] += 8
        self.assert_problems("^bg_evaluation.correct was int64_t of 8 bytes at 16, is int64_t of 8 at 24$")

    def test_a_field_of_another_type_or_size(self):
        self.field("bg_evaluation", "images")[1] = "uint64_t"
        self.field("bg_evaluation", "correct")[3] = 4
        self.assert_problems("images was", "correct was")

    def test_a_field_that_is_gone(self):
        self.after["structs"]["bg_step"]["fields"].remove(self.field("bg_step", "loss"))
        self.assert_problems("^bg_step.loss is gone$")

    def test_a_struct_that_shrank(self):
        self.after["structs"]["bg_step"]["size"] -= 8
        self.assert_problems("^bg_step shrank from")

    def test_a_field_at_the_end_is_fine(self):
        struct = self.after["structs"]["bg_evaluation"]
        struct["fields"].append(["top5", "double", struct["size"], 8])
        struct["size"] += 8
        self.assert_problems()

    def test_a_field_in_what_was_padding(self):
        struct = self.after["structs"]["bg_attribute"]
        struct["fields"].append(["flags", "int32_t", 20, 4])
        self.assert_problems("^bg_attribute.flags is new and lies at 20")

    def test_a_struct_without_a_size_that_grew(self):
        struct = self.after["structs"]["bg_attribute"]
        struct["fields"].append(["more", "int64_t", struct["size"], 8])
        struct["size"] += 8
        self.assert_problems("^bg_attribute grew .* no struct_size")

    def test_additions_are_fine(self):
        self.after["functions"]["bg_relu_v2"] = "bg_status bg_relu_v2(void)"
        self.after["enums"]["bg_dtype"]["BG_BFLOAT16"] = 4
        self.after["handles"].append("bg_server")
        self.after["structs"]["bg_more"] = {"size": 4, "fields": [["struct_size", "uint32_t", 0, 4]]}
        self.assert_problems()

    def test_another_version_may_change_everything(self):
        self.after["version"] += 1
        self.after["functions"] = {}
        self.assert_problems()
        self.after["version"] = self.before["version"] - 1
        self.assert_problems("^BG_ABI_VERSION fell")


if __name__ == "__main__":
    flags = argparse.ArgumentParser()
    flags.add_argument("--header", required=True)
    flags.add_argument("--layout", required=True)
    flags.add_argument("--folder", default="tests/abi")
    flags.add_argument("--temporary", default=os.environ.get("TEST_TMPDIR", "/tmp"))
    OPTIONS, rest = flags.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
