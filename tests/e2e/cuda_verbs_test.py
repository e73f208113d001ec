"""Every verb on a GPU: that of BITGATE_TEST_DEVICE, or cuda:0 where the variable names none. Then it is skipped,
visibly, where the program has been built without CUDA or there is no GPU; one that was asked for must open."""

import json
import os
import random
import signal
import time

import harness

ASKED = os.environ.get("BITGATE_TEST_DEVICE", "").startswith("cuda")
DEVICE = os.environ["BITGATE_TEST_DEVICE"] if ASKED else "cuda:0"
GPU = f"--device={DEVICE}"


class CudaVerbsTest(harness.Case):

    def setUp(self):
        super().setUp()
        self.said = self.run_json("version", GPU)
        if ASKED:
            self.assertNotIn("device_error", self.said)
        if "device_error" in self.said:
            print(f"SKIPPED: {self.said['device_error']}", flush=True)
            self.skipTest(self.said["device_error"])

    def path(self, name):
        return self.folder / name

    def evaluate(self, checkpoint, *more):
        return self.run_json("eval", checkpoint, f"--data={self.data}", *more)

    def run_all(self, name, *more):
        """Trains, freezes, fine-tunes, exports; the paths in this order."""
        paths = [self.path(f"{name}{ending}") for ending in
                 (".safetensors", ".frozen.safetensors", ".tuned.safetensors", ".onnx")]
        run, frozen, tuned, onnx = paths
        self.run_bitgate(*self.train_arguments(run, *more))
        self.run_bitgate("freeze", run, "-o", frozen, *more)
        self.run_bitgate("fine-tune", frozen, f"--output={tuned}", "--data", self.data, "--epochs=2",
                         "--fine_tune.weights.learning_rate=0.002", *more)
        self.run_bitgate("export", tuned, f"--onnx={onnx}", *more)
        return paths

    def test_the_version_tells(self):
        self.assertEqual(self.said["build"], "cuda")
        self.assertEqual(self.said["device"], DEVICE)
        self.assertTrue(self.said["device_name"])
        self.assertIn("CUDA", self.said["libraries"])
        self.assertIn(f"{DEVICE}: {self.said['device_name']}", self.run_bitgate("version", GPU)[0])
        missing = self.run_json("version", "--device=cuda:99")
        self.assertIn("cuda:99", missing["device_error"])

    def test_from_data_to_onnx(self):
        paths = self.run_all("run", GPU)
        run, frozen, tuned, onnx = paths
        self.assertGreater(self.evaluate(run, GPU)["accuracy"], 0.8)
        there, here = self.evaluate(tuned, GPU), self.evaluate(tuned)
        self.assertGreater(there["accuracy"], 0.8)
        self.assertAlmostEqual(there["accuracy"], here["accuracy"], delta=0.01)
        self.assertAlmostEqual(there["loss"], here["loss"], delta=0.01)

        # What is no arithmetic does not depend on the device.
        self.assertEqual(self.run_json("bits", tuned, GPU), self.run_json("bits", tuned))
        self.assertEqual(self.run_json("bits", run, GPU)["totals"], self.run_json("bits", frozen)["totals"])
        other = self.path("here.onnx")
        self.run_bitgate("export", tuned, f"--onnx={other}")
        self.assertEqual(harness.digest(other), harness.digest(onnx))
        other = self.path("here.safetensors")
        self.run_bitgate("freeze", run, "-o", other)
        self.assertEqual(harness.digest(other), harness.digest(frozen))

        again = [harness.digest(path) for path in self.run_all("again", GPU)]
        self.assertEqual(again, [harness.digest(path) for path in paths], "equal runs end with equal bytes")

    def test_trains_about_as_the_cpu_does(self):
        results = [self.run_json(*self.train_arguments(self.path(f"{name}.safetensors"), "--epochs=2", *more))
                   for name, more in (("cpu", []), ("gpu", [GPU]))]
        self.assertAlmostEqual(results[0]["test_accuracy"], results[1]["test_accuracy"], delta=0.1)
        first = [json.loads(self.path(f"{name}.log.jsonl").read_text(encoding="utf-8").splitlines()[0])
                 for name in ("cpu", "gpu")]
        self.assertAlmostEqual(first[0]["train_loss"], first[1]["train_loss"], delta=0.05)

    def test_ways_to_compute(self):
        for compute in ("tf32", "bfloat16"):
            output = self.path(f"{compute}.safetensors")
            trained = self.run_json(*self.train_arguments(output, GPU, f"--compute={compute}"))
            self.assertGreater(trained["test_accuracy"], 0.7)
            same = self.evaluate(output, GPU, f"--compute={compute}")
            self.assertEqual(same["accuracy"], trained["test_accuracy"])
            self.assertAlmostEqual(self.evaluate(output, GPU)["accuracy"], trained["test_accuracy"], delta=0.05)

    def test_interrupted_and_resumed(self):
        self.recipe.write_text(harness.RECIPE + harness.FINE_TUNE, encoding="utf-8")
        whole = self.path("whole.safetensors")
        started = time.monotonic()
        self.run_bitgate(*self.train_arguments(whole, GPU))
        seconds = time.monotonic() - started
        for attempt in range(20):
            output = self.path(f"part{attempt}.safetensors")
            process = self.start(*self.train_arguments(output, GPU, "--compute=float32"))
            time.sleep(random.uniform(0, seconds))
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=120)
            if process.returncode != 130:  # it came before the program listens, or after the end
                continue
            self.assertIn(f"{GPU} --compute=float32", err)
            self.run_bitgate(*self.train_arguments(output, GPU, "--resume"))
            self.assertEqual(harness.digest(output), harness.digest(whole))
            return
        self.fail("no signal came while it trained")

    def test_begun_here_and_resumed_there(self):
        """A checkpoint knows no device."""
        self.run_bitgate(*self.train_arguments(self.path("run.safetensors"), "--epochs=1"))
        frozen, tuned = self.path("frozen.safetensors"), self.path("tuned.safetensors")
        self.run_bitgate("freeze", self.path("run.safetensors"), "-o", frozen)
        self.run_bitgate("fine-tune", frozen, f"--output={tuned}", "--data", self.data, "--epochs=1", GPU)
        self.assertNotIn("cuda", json.dumps(harness.checkpoint_metadata(tuned)))
        self.assertTrue(self.evaluate(tuned)["frozen"])


if __name__ == "__main__":
    harness.main()
