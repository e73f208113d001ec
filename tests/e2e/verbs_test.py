"""Every verb with the real program: train, eval, freeze, fine-tune, export, bits, version."""

import json

import numpy
import onnxruntime

import harness


class VerbsTest(harness.Case):

    def path(self, name):
        return self.folder / name

    def onnx_predictions(self, path):
        """Classes that onnxruntime gives the test images, preprocessed as the model's own metadata says."""
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        said = json.loads(session.get_modelmeta().custom_metadata_map["bitgate.preprocessing"])
        content = (self.data / "t10k-images-idx3-ubyte").read_bytes()
        raw = numpy.frombuffer(content[16:], dtype=numpy.uint8).reshape([-1, *said["shape"]]).astype(numpy.float32)
        images = raw * numpy.float32(said["scale"])
        if said["mean"]:
            images = images - numpy.array(said["mean"], dtype=numpy.float32)
        if said["std"]:
            images = images / numpy.array(said["std"], dtype=numpy.float32)
        return session.run(None, {session.get_inputs()[0].name: images})[0].argmax(axis=1)

    def predictions(self, checkpoint):
        file = self.path("predictions.txt")
        result = self.run_json("eval", checkpoint, f"--data={self.data}", f"--predictions={file}")
        return result, numpy.loadtxt(file, dtype=int)

    def run_all(self, name):
        """Trains, freezes, fine-tunes, exports; the paths in this order."""
        paths = [self.path(f"{name}{ending}") for ending in
                 (".safetensors", ".frozen.safetensors", ".tuned.safetensors", ".onnx")]
        run, frozen, tuned, onnx = paths
        self.run_bitgate(*self.train_arguments(run))
        self.run_bitgate("freeze", run, "-o", frozen)
        self.run_bitgate("fine-tune", frozen, f"--output={tuned}", "--data", self.data, "--epochs=2",
                         "--fine_tune.weights.learning_rate=0.002")
        self.run_bitgate("export", tuned, f"--onnx={onnx}")
        return paths

    def test_from_data_to_onnx(self):
        run, frozen, tuned, onnx = self.run_all("run")
        labels = harness.images_and_labels(200, 2)[1]
        trained, _ = self.predictions(run)
        self.assertFalse(trained["frozen"])
        self.assertGreater(trained["accuracy"], 0.8)
        result, predicted = self.predictions(tuned)
        self.assertTrue(result["frozen"])
        self.assertEqual(result["images"], 200)
        self.assertEqual(result["correct"], int((predicted == labels).sum()))
        self.assertGreater(result["accuracy"], 0.8)
        self.assertGreaterEqual((self.onnx_predictions(onnx) == predicted).mean(), 0.999)

        before, after = self.run_json("bits", run), self.run_json("bits", tuned)
        self.assertEqual(before["totals"], self.run_json("bits", frozen)["totals"])
        self.assertEqual(before["totals"], after["totals"])
        self.assertTrue(after["frozen"])
        self.assertLess(after["totals"]["relative_bops"], 0.1)

    def test_the_same_bytes_twice(self):
        first, second = ([harness.digest(path) for path in self.run_all(name)] for name in ("one", "two"))
        self.assertEqual(first, second)

    def test_train_goes_through_both_phases(self):
        self.recipe.write_text(harness.RECIPE + harness.FINE_TUNE, encoding="utf-8")
        result = self.run_json(*self.train_arguments(self.path("run.safetensors")))
        self.assertTrue(result["frozen"])
        self.assertEqual(result["epochs"], 5)
        lines = [json.loads(line) for line in self.path("run.log.jsonl").read_text(encoding="utf-8").splitlines()]
        self.assertEqual([(line["phase"], line["epoch"]) for line in lines],
                         [("gates", 1), ("gates", 2), ("gates", 3), ("fine_tune", 1), ("fine_tune", 2)])
        self.assertEqual(lines[-1]["test_accuracy"], result["test_accuracy"])
        self.assertTrue(all(line["seconds"] > 0 for line in lines))
        again = self.run_json("eval", self.path("run.safetensors"), f"--data={self.data}")
        self.assertEqual(again["accuracy"], result["test_accuracy"])

    def test_resuming_a_finished_run_changes_nothing(self):
        output = self.path("run.safetensors")
        first = self.run_json(*self.train_arguments(output))
        before = harness.digest(output)
        again = self.run_json("train", "--resume", f"--output={output}", f"--data={self.data}")
        self.assertEqual(harness.digest(output), before)
        self.assertEqual(again["epochs"], 0)
        self.assertEqual(again["test_accuracy"], first["test_accuracy"])

    def test_overwrite_begins_anew(self):
        output = self.path("run.safetensors")
        self.run_bitgate(*self.train_arguments(output, "--seed=3"))
        other = harness.digest(output)
        self.run_bitgate(*self.train_arguments(output, "--overwrite"))
        self.assertNotEqual(harness.digest(output), other)
        self.run_bitgate(*self.train_arguments(self.path("fresh.safetensors")))
        self.assertEqual(harness.digest(output), harness.digest(self.path("fresh.safetensors")))

    def test_settings_override_the_recipe(self):
        self.run_bitgate(*self.train_arguments(self.path("run.safetensors"), "--epochs=1", "--mu", "0.5",
                                               "--training.gates.learning_rate=0.1"))
        configuration = harness.checkpoint_metadata(self.path("run.safetensors"))["configuration"]
        self.assertIn("mu: 0.5", configuration)
        self.assertIn("learning_rate: 0.1", configuration)
        self.assertNotIn(str(self.folder), configuration)
        self.assertIn('name: "conv1"', configuration)  # the graph itself, not where it was

    def test_the_float_baseline(self):
        result = self.run_json(*self.train_arguments(self.path("float.safetensors"), "--quantizer.method=float"))
        self.assertGreater(result["test_accuracy"], 0.8)
        totals = result["bits"]["totals"]
        self.assertEqual(totals["bytes"], totals["float_bytes"])
        self.assertGreater(totals["relative_bops"], 0.4)  # not 1: the network's input counts 8 bits

    def test_float_weights(self):
        """A run in float, its weights in a file, their accuracy, and a run with quantizers that begins with them."""
        run, weights, again = (self.path(f"{name}.safetensors") for name in ("float", "weights", "again"))
        result = self.run_json(*self.train_arguments(run, "--quantizer.method=float"))
        self.assertEqual(self.run_bitgate("export", run, f"--weights={weights}")[0], f"weights {weights}\n")
        self.assertEqual(harness.checkpoint_metadata(weights), {"format": "pt"})
        evaluate = ("eval", f"--recipe={self.recipe}", f"--data={self.data}")
        for file, tensor in ((weights, "fc1.weight"), (run, "fc1/weight")):
            evaluated = self.run_json(*evaluate, f"--weights={file}")
            self.assertEqual((evaluated["accuracy"], evaluated["loss"]), (result["test_accuracy"], result["test_loss"]))
            self.assertEqual(evaluated["weights"][2]["tensor"], tensor)
        out, err = self.run_bitgate(*evaluate, f"--weights={weights}", "--show-weights")
        self.assertIn("test images right", out)
        self.assertIn("fc1/weight    fc1.weight    [12, 54]      CHW to HWC\n", err)
        self.assertTrue(err.endswith(f"6 tensors of {weights} taken\n"), err)

        paths = [self.path(f"{name}.safetensors") for name in ("one", "two")]
        for path, file in zip(paths, (weights, run)):
            _, err = self.run_bitgate(*self.train_arguments(path, "--epochs=1", f"--weights={file}"))
            self.assertTrue(err.startswith(f"6 tensors of {file} taken\n"), err)
        again_from_there = self.train_arguments(paths[0], "--epochs=1", f"--weights={weights}", "--resume")
        self.assertNotIn("taken", self.run_bitgate(*again_from_there)[1])  # a run that has begun has weights
        self.assertEqual(*map(harness.digest, paths))  # which knows nothing of the file
        self.run_bitgate(*self.train_arguments(self.path("random.safetensors"), "--epochs=1"))
        self.assertLess(self.run_json("eval", paths[0], f"--data={self.data}")["loss"],
                        self.run_json("eval", self.path("random.safetensors"), f"--data={self.data}")["loss"])

        self.run_bitgate("freeze", paths[0], "-o", self.path("frozen.safetensors"))
        out, _ = self.run_bitgate("export", self.path("frozen.safetensors"), f"--weights={again}", "--onnx=m.onnx")
        self.assertEqual(out.splitlines()[-2:], ["onnx m.onnx", f"weights {again}"])
        self.run_bitgate("export", paths[0], f"--weights={weights}")
        self.assertEqual(harness.digest(again), harness.digest(weights))

    def test_layers_left_in_float(self):
        text = harness.RECIPE.replace('"tiny_graph.textproto"', '"tiny_graph.textproto" leave_float: ["conv1", "fc2"]')
        self.recipe.write_text(text, encoding="utf-8")
        output = self.path("run.safetensors")
        bits = self.run_json(*self.train_arguments(output, "--epochs=1"))["bits"]
        self.assertEqual(self.run_json("bits", output)["layers"], bits["layers"])
        self.assertEqual([row["weight_bits"] is None for row in bits["layers"]], [True, False, True])
        self.assertEqual(self.run_json("train", "--resume", f"--output={output}", f"--data={self.data}")["bits"], bits)
        self.run_bitgate("freeze", output, "-o", self.path("frozen.safetensors"))
        self.assertEqual(self.run_json("bits", self.path("frozen.safetensors"))["layers"], bits["layers"])

    def test_bfloat16_where_the_processor_has_none(self):
        """Computes in float32, and says so."""
        plain, other = self.path("plain.safetensors"), self.path("other.safetensors")
        less = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
        has_bfloat16 = "avx512_bf16" in self.run_json("version")["instruction_sets"]
        reason = ("ONEDNN_MAX_CPU_ISA forbids AVX-512 BF16 and AMX" if has_bfloat16 else
                  "this processor has neither AVX-512 BF16 nor AMX")
        _, err = self.run_bitgate(*self.train_arguments(plain, "--epochs=1"), env=less)
        self.assertNotIn("notice", err)
        _, err = self.run_bitgate(*self.train_arguments(other, "--epochs=1", "--compute=bfloat16"), env=less)
        self.assertEqual(err.splitlines()[0], f"notice: --compute=bfloat16: {reason}; computing in float32")
        self.assertEqual(harness.digest(plain), harness.digest(other))
        if has_bfloat16:
            self.assertNotIn("notice", self.run_bitgate("bits", plain, "--compute=bfloat16")[1])

    def test_version_and_help(self):
        said = self.run_json("version", "--threads=1")
        self.assertEqual(said["threads"], 1)
        self.assertIn(said["isa"], ("scalar", "avx2", "avx512"))
        self.assertIn("oneDNN", self.run_bitgate("version")[0])
        self.assertNotIn("device", said)
        self.assertEqual(self.run_json("version", "--device=cpu")["device_name"], said["processor"])
        for command in ("train", "eval", "freeze", "fine-tune", "export", "bits", "version"):
            self.assertIn(command, self.run_bitgate("--help")[0])
            out, _ = self.run_bitgate(command, "--help")
            self.assertIn("Examples:", out)
            self.assertIn("--compute=", out)
            self.assertEqual(out, self.run_bitgate("help", command)[0])
        self.assertIn("lenet5_mnist_bayesian_bits", self.run_bitgate("train", "--help")[0])


if __name__ == "__main__":
    harness.main()
