"""Runs the networks of write_test_models in onnxruntime and compares with what the unpruned networks compute."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import onnx
import onnxruntime

WRITER = os.path.abspath(sys.argv.pop(1))


def initializers(model):
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def metadata(model):
    return {entry.key: entry.value for entry in model.metadata_props}


class OnnxruntimeAgreesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls._folder = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        cls.addClassCleanup(cls._folder.cleanup)
        cls.folder = cls._folder.name
        subprocess.run([WRITER, cls.folder], check=True)
        with open(os.path.join(cls.folder, "models.json")) as file:
            cls.entries = {entry["name"]: entry for entry in json.load(file)}
        cls.models = {name: onnx.load(cls.path(name)) for name in cls.entries}

    @classmethod
    def path(cls, name, extension=".onnx"):
        return os.path.join(cls.folder, name + extension)

    def run_model(self, name, level=onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = level
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(self.path(name), options, providers=["CPUExecutionProvider"])
        images = np.fromfile(self.path(name, ".input"), np.float32).reshape(-1, *self.entries[name]["input_shape"])
        return session.run(["logits"], {"input": images})[0]

    def check_outputs(self, level):
        self.assertGreater(len(self.entries), 80)
        for name, entry in self.entries.items():
            with self.subTest(name):
                expected = np.fromfile(self.path(name, ".output"), np.float32).reshape(-1, *entry["output_shape"])
                got = self.run_model(name, level)
                self.assertEqual(got.shape, expected.shape)
                if entry["exact"]:
                    np.testing.assert_array_equal(got, expected)
                else:
                    # A 16-bit step, a few of which may go the other way, is about 2e-5.
                    tolerance = 2e-4 if name.endswith("_a16") else 1e-5
                    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)
                    np.testing.assert_array_equal(got.argmax(-1), expected.argmax(-1))

    def test_outputs(self):
        self.check_outputs(onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)

    def test_outputs_of_the_graph_as_written(self):
        self.check_outputs(onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL)

    def test_outputs_depend_on_the_input(self):
        constant = {"zero_first", "pruned_second", "pruned_linear", "zero_last", "pruned_both_in_residual",
                    "pruned_before_padding", "pruned_before_groups", "pruned_grouped", "image_output_zero"}
        for name in self.entries:
            logits = np.fromfile(self.path(name, ".output"), np.float32)
            logits = logits.reshape(-1, *self.entries[name]["output_shape"])
            with self.subTest(name):
                self.assertEqual(bool(np.all(logits == logits[0])), name in constant)

    def test_checker(self):
        for name, model in self.models.items():
            with self.subTest(name):
                onnx.checker.check_model(model, full_check=True)
                wide = any(tensor.dtype == np.int16 for tensor in initializers(model).values())
                self.assertEqual([opset.version for opset in model.opset_import], [21 if wide else 13])

    def test_weight_types_follow_codes(self):
        seen = set()
        for name, model in self.models.items():
            bits = json.loads(metadata(model)["bitgate.bits"])
            for key, weight in initializers(model).items():
                if not key.endswith("/weight"):
                    continue
                with self.subTest(name=name, weight=key):
                    decided = bits[key]
                    self.assertEqual(weight.shape[0], decided["channels"])
                    if decided["encoding"] != "integer":
                        self.assertEqual(weight.dtype, np.float32)
                        continue
                    largest = np.abs(weight.astype(np.int64)).max()
                    fits = weight.min() >= -128 and weight.max() <= 127
                    self.assertEqual(weight.dtype, np.int8 if fits else np.int16)
                    value_bits = decided["bits"] - (0 if "norm_w" in name else 1)  # BSQ's sign is apart
                    self.assertLessEqual(largest, 2 ** value_bits - 1)
                    seen.add((weight.dtype.name, decided["bits"]))
        self.assertLessEqual({("int8", 2), ("int8", 8), ("int16", 8), ("int16", 9), ("int16", 16)}, seen)

    def test_folded_layers_have_a_scale_for_each_channel(self):
        for name in ("norm_w8_a4", "pruned_norm_w8_a8", "norm_w2_a8"):
            tensors = initializers(self.models[name])
            bits = json.loads(metadata(self.models[name])["bitgate.bits"])
            with self.subTest(name):
                for layer in ("stem", "conv1", "conv2", "conv3", "depthwise", "fc"):
                    scale = tensors[layer + "/weight/scale"]
                    self.assertEqual(scale.shape, tensors[layer + "/weight"].shape[:1])
                    self.assertEqual(scale.tolist(), [np.float32(value) for value in bits[layer + "/weight"]["scale"]])
                    self.assertGreater(len(set(scale.tolist())), 1)
                    self.assertIn(layer + "/bias", tensors)
                self.assertEqual(tensors["head/weight/scale"].shape, ())

    def test_activation_types(self):
        types = {"bits_w8_a2": "uint8", "bits_w8_a8": "uint8", "signed_bits_w8_a4": "int8", "bits_w8_a16": None,
                 "bits_w8_a32": None}
        for name, expected in types.items():
            with self.subTest(name):
                tensors = initializers(self.models[name])
                found = {key: tensor.dtype.name for key, tensor in tensors.items()
                         if key.endswith("/zero_point") and "/weight/" not in key}
                self.assertEqual(set(found.values()), {expected} if expected else set())

    def test_pruned_channels_are_gone(self):
        for name, last in (("pruned_3_channels", "fc2"), ("bits_w8_a8", "fc2"), ("exact_w2_a4", "fc2")):
            layers = self.entries[name]["layers"]
            kept = {layer: counts["kept"] for layer, counts in layers.items()}
            tensors = initializers(self.models[name])
            with self.subTest(name):
                self.assertTrue(any(counts["kept"] < counts["channels"] for counts in layers.values()))
                self.assertEqual(tensors["conv1/weight"].shape[0], kept["conv1"])
                self.assertEqual(tensors["conv2/weight"].shape[:2], (kept["conv2"], kept["conv1"]))
                self.assertEqual(tensors["fc1/weight"].shape, (kept["fc1"], 4 * kept["conv2"]))
                self.assertEqual(tensors[last + "/weight"].shape, (4, kept["fc1"]))
                self.assertEqual(self.entries[name]["prune_warnings"], [])

    def test_padded_zero_constants_are_gone(self):
        kept = self.entries["padded_zero"]["layers"]["conv1"]["kept"]
        self.assertLess(kept, 6)
        self.assertEqual(initializers(self.models["padded_zero"])["conv2/weight"].shape[1], kept)

    def test_padded_nonzero_constants_stay_with_a_note(self):
        entry = self.entries["padded_nonzero"]
        shape = initializers(self.models["padded_nonzero"])["conv2/weight"].shape
        self.assertGreater(shape[1], entry["layers"]["conv1"]["kept"])
        self.assertIn("layer 'conv1': pruned channels that stay", " ".join(entry["prune_warnings"]))

    def test_constant_layers_are_not_written(self):
        for name, absent in (("zero_first", ["conv1", "conv2", "fc1", "fc2"]), ("zero_in_residual", ["conv2", "conv3"]),
                             ("pruned_linear", ["conv1", "conv2", "fc1"])):
            with self.subTest(name):
                tensors = initializers(self.models[name])
                for layer in absent:
                    self.assertNotIn(layer + "/weight", tensors)
                    self.assertTrue(any("'%s'" % layer in text for text in self.entries[name]["prune_warnings"]))

    def test_wide_codes_are_noted(self):
        notes = self.entries["norm_w8_a8"]["notes"]
        self.assertIn("stem/weight: codes up to +-", " ".join(notes))
        self.assertIn("are written as 16-bit integers", " ".join(notes))
        self.assertEqual(self.entries["bits_w8_a8"]["notes"], [])
        self.assertEqual(self.entries["norm_w7_a8"]["notes"], [])

    def test_metadata(self):
        for name, model in self.models.items():
            with self.subTest(name):
                entries = metadata(model)
                self.assertEqual(model.producer_name, "bitgate")
                self.assertEqual(model.producer_version, "1.2.3")
                self.assertEqual(entries["bitgate.version"], "1.2.3")
                self.assertEqual(entries["bitgate.recipe"], "recipe of " + name)
                self.assertEqual(entries["test.key"], "value")
                preprocessing = json.loads(entries["bitgate.preprocessing"])
                self.assertEqual(preprocessing["shape"], self.entries[name]["input_shape"])
        preprocessing = json.loads(metadata(self.models["bits_w4_a4"])["bitgate.preprocessing"])
        self.assertEqual(preprocessing, {"layout": "NHWC", "shape": [8, 8, 3], "scale": 1 / 255, "mean": [0.0] * 3,
                                         "std": [1.0] * 3})

    def test_no_path_and_same_bytes_elsewhere(self):
        with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as other:
            subprocess.run([WRITER, other], check=True)
            for name in self.entries:
                with self.subTest(name):
                    with open(self.path(name), "rb") as file:
                        written = file.read()
                    with open(os.path.join(other, name + ".onnx"), "rb") as file:
                        self.assertEqual(file.read(), written)
                    self.assertNotIn(self.folder.encode(), written)


if __name__ == "__main__":
    unittest.main()
