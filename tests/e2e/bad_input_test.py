"""What a user can get wrong: each gives one clear message and an exit code, and leaves no file behind."""

import fcntl
import gzip
import json
import re
import resource
import signal
import struct
import time

import numpy

import harness

FAILURE, USAGE = 1, 2


class BadInputTest(harness.Case):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.trained = {}  # a checkpoint trained once, as bytes

    def snapshot(self):
        return {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}

    def check(self, arguments, code, *patterns, **options):
        """Runs the program: one error line with all patterns in it, this exit code, and no file changed."""
        before = self.snapshot()
        out, err = self.run_bitgate(*arguments, expect=code, **options)
        lines = [line for line in err.splitlines() if line.startswith("bitgate: error: ")]
        self.assertEqual(len(lines), 1, err)
        self.assertEqual(out, "")
        for pattern in patterns:
            self.assertRegex(lines[0], pattern)
        after = self.snapshot()
        self.assertEqual(sorted(after), sorted(before))
        self.assertEqual(after, before)

    def check_train(self, code, *patterns, more=(), **options):
        self.check(self.train_arguments(self.folder / "run.safetensors", *more), code, *patterns, **options)

    def checkpoint(self, name="good.safetensors"):
        """A trained checkpoint in this test's folder."""
        path = self.folder / name
        if "bytes" not in self.trained:
            self.run_bitgate(*self.train_arguments(path, "--epochs=1"))
            self.trained["bytes"] = path.read_bytes()
            for other in (path.with_suffix(".best.safetensors"), path.with_suffix(".log.jsonl")):
                other.unlink()
        path.write_bytes(self.trained["bytes"])
        return path

    # -- Data --------------------------------------------------------------------------------------------------------

    def test_missing_data(self):
        images = self.data / "t10k-images-idx3-ubyte"
        images.unlink()
        self.check_train(FAILURE, "t10k-images", re.escape(str(self.data)))
        self.check(("train", f"--recipe={self.recipe}", "--data=nowhere", "--output=run.safetensors"), FAILURE,
                   "expected a folder", "nowhere")

    def test_truncated_data(self):
        images = self.data / "train-images-idx3-ubyte"
        images.write_bytes(images.read_bytes()[:-7])
        self.check_train(FAILURE, re.escape(str(images)), "expected 640x8x8 bytes")

    def test_truncated_gzip(self):
        images = self.data / "train-images-idx3-ubyte"
        packed = gzip.compress(images.read_bytes())
        images.unlink()
        (self.data / "train-images-idx3-ubyte.gz").write_bytes(packed[:len(packed) // 2])
        self.check_train(FAILURE, "train-images-idx3-ubyte.gz")

    def test_wrong_magic(self):
        images = self.data / "train-images-idx3-ubyte"
        images.write_bytes(b"\x00\x00\x0d\x03" + images.read_bytes()[4:])
        self.check_train(FAILURE, re.escape(str(images)), "magic number", "0x00000d03")

    def test_hostile_idx_sizes(self):
        images = self.data / "train-images-idx3-ubyte"
        images.write_bytes(b"\x00\x00\x08\x03" + b"\xff" * 12)
        self.check_train(FAILURE, re.escape(str(images)), "as its header says")

    def test_label_out_of_range(self):
        labels = self.data / "train-labels-idx1-ubyte"
        content = bytearray(labels.read_bytes())
        content[8 + 5] = 4
        labels.write_bytes(content)
        self.check_train(FAILURE, re.escape(str(labels)), r"labels in \[0, 4\), got 4 for image 5")

    def test_empty_data_set(self):
        harness.write_idx(self.data / "train-images-idx3-ubyte", numpy.zeros((0, 8, 8), numpy.uint8))
        harness.write_idx(self.data / "train-labels-idx1-ubyte", numpy.zeros(0, numpy.uint8))
        self.check_train(FAILURE, "train-images-idx3-ubyte", "at least 1")

    def test_images_of_another_size(self):
        path = self.checkpoint()
        for prefix in ("train", "t10k"):
            harness.write_idx(self.data / f"{prefix}-images-idx3-ubyte", numpy.zeros((9, 28, 28), numpy.uint8))
            harness.write_idx(self.data / f"{prefix}-labels-idx1-ubyte", numpy.zeros(9, numpy.uint8))
        self.check_train(FAILURE, "training data", "28", "8")
        self.check(("eval", path, f"--data={self.data}"), FAILURE, "test data", "28")

    # -- Graphs ------------------------------------------------------------------------------------------------------

    def check_graph(self, old, new, *patterns):
        self.assertIn(old, harness.GRAPH)
        (self.folder / "tiny_graph.textproto").write_text(harness.GRAPH.replace(old, new), encoding="utf-8")
        self.check_train(USAGE, "tiny_graph.textproto", *patterns)

    def test_cyclic_graph(self):
        self.check_graph('input: "input"', 'input: "pool1"', "cycle")

    def test_unknown_op(self):
        self.check_graph('kind: "max_pool"', 'kind: "maxpool"', "maxpool", "pool1")

    def test_mismatched_shapes(self):
        self.check_graph("kernel: 3", "kernel: 9", "conv1", "kernel")

    def test_duplicate_names(self):
        self.check_graph('name: "fc1"', 'name: "conv1"', "conv1")

    def test_graph_typo(self):
        self.check_graph("channels: 12", "chanels: 12", "chanels", r":8:\d+")

    def test_missing_graph_file(self):
        (self.folder / "tiny_graph.textproto").unlink()
        self.check_train(USAGE, "tiny_graph.textproto")

    # -- Recipes and flags -------------------------------------------------------------------------------------------

    def test_recipe_typo(self):
        self.recipe.write_text(harness.RECIPE.replace("batch_size: 32", "batchsize: 32"), encoding="utf-8")
        self.check_train(USAGE, r"recipe.textproto:6:\d+", "batchsize", "did you mean batch_size")
        self.recipe.write_text(harness.RECIPE.replace("epochs: 3", "epochs: three"), encoding="utf-8")
        self.check_train(USAGE, r"recipe.textproto:5:\d+")
        self.check(("train", "--recipe=lenet5_flaot", "--output=run.safetensors"), USAGE, "did you mean lenet5_float")

    def test_unknown_flags(self):
        self.check_train(USAGE, "unknown flag --epoch", more=["--epoch=3"])
        self.check_train(USAGE, "--training.epoch", "did you mean training.epochs", more=["--training.epoch=3"])
        self.check_train(USAGE, "unknown flag -x", more=["-x"])
        self.check(("trian",), USAGE, "unknown command 'trian'", "did you mean train")
        self.check(("bits", "--threads=1"), USAGE, "expected 1 file")
        self.check(("help", "trian"), USAGE, "did you mean train")

    def test_bad_values(self):
        for more, pattern in (
            ("--epochs=0", "training.epochs"),
            ("--epochs=many", "--epochs: expected a whole number"),
            ("--batch_size=-1", "training.batch_size"),
            ("--quantizer.method=bayes", "bayesian_bits"),
            ("--mu=-1", "mu"),
            ("--quantizer.alpha=1", "expected a setting that bayesian_bits reads"),
            ("--training.weights.learning_rate=-1", "training.weights"),
            ("--training.weights.kind=RMSPROP", "ADAM, SGD"),
            ("--threads=0", "--threads expects a number from 1"),
            ("--device=tpu", "tpu"),
            ("--compute=float16", "compute: expected float32, tf32 or bfloat16, got .float16"),
            ("--network.zoo=lenet6", "network"),
        ):
            with self.subTest(more):
                self.check_train(USAGE, pattern, more=[more])
        self.check_train(USAGE, "--resume and --overwrite", more=["--resume", "--overwrite"])
        self.check(("train", "--output=run.safetensors"), USAGE, "--recipe")
        self.check(("train", f"--recipe={self.recipe}"), USAGE, "--output")

    # -- Training ----------------------------------------------------------------------------------------------------

    def test_loss_that_is_not_finite(self):
        arguments = self.train_arguments(self.folder / "run.safetensors", "--quantizer.method=float",
                                         "--training.weights.kind=SGD", "--training.weights.learning_rate=1e6")
        _, err = self.run_bitgate(*arguments, expect=FAILURE)
        self.assertRegex(err.splitlines()[-1], r"^bitgate: error: .*loss.*(nan|inf)")
        left = {path.name for path in self.folder.iterdir()} - {"data", "tiny_graph.textproto", "recipe.textproto"}
        self.assertEqual(left, set())  # no empty log either

    def test_a_run_that_is_there(self):
        output = self.checkpoint("run.safetensors")
        self.check_train(FAILURE, "expected no run there yet", re.escape(str(output)))

    def test_two_runs_at_once(self):
        """The lock that a run holds on its log, here held by the test."""
        arguments = self.train_arguments(self.folder / "run.safetensors", "--epochs=1")
        self.run_bitgate(*arguments)
        log = self.folder / "run.log.jsonl"
        with open(log, "a", encoding="utf-8") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            for more in ("--resume", "--overwrite"):
                self.check((*arguments, more), FAILURE, re.escape(str(log)), "being written by another run")
        self.run_bitgate(*arguments, "--overwrite")

    def test_settings_that_fine_tuning_has_no_use_for(self):
        path = self.checkpoint()
        self.run_bitgate("freeze", path, "-o", "frozen.safetensors")
        for setting, pattern in (("--quantizer.mu=0.77", r"quantizer.mu: 0.02 -> 0.77"),
                                 ("--training.epochs=9", "training.epochs"),
                                 ("--network.zoo=lenet5", "network")):
            with self.subTest(setting):
                self.check(("fine-tune", "frozen.safetensors", "-o", "t.safetensors", "--epochs=1", setting), USAGE,
                           pattern)

    def test_resuming_another_run(self):
        self.checkpoint("run.safetensors")
        resume = ["--resume", "--epochs=1"]
        self.check_train(FAILURE, "run.safetensors", "configuration", "seed", more=[*resume, "--seed=99"])
        graph = harness.GRAPH.replace("channels: 12", "channels: 13")
        (self.folder / "tiny_graph.textproto").write_text(graph, encoding="utf-8")
        self.check_train(FAILURE, "run.safetensors", "configuration", "12", more=resume)

    def test_what_the_cpu_does_not_compute(self):
        path = self.checkpoint()
        pattern = "compute: expected float32 or bfloat16 on the cpu, got tf32"
        self.check_train(FAILURE, pattern, more=["--compute=tf32"])
        for arguments in (("bits", path), ("eval", path, f"--data={self.data}"), ("freeze", path, "-o", "f.safetensors"),
                          ("export", path, "--onnx=m.onnx"), ("fine-tune", path, "--epochs=1", "-o", "t.safetensors")):
            self.check((*arguments, "--compute=tf32"), FAILURE, pattern)
        self.run_bitgate("bits", path, "--compute=float32", "--device=cpu")

    def test_weights_that_do_not_fit(self):
        weights = self.folder / "weights.safetensors"
        self.check_train(FAILURE, "weights.safetensors", "No such file", more=[f"--weights={weights}"])
        self.run_bitgate("export", self.checkpoint(), f"--weights={weights}")
        content = weights.read_bytes()
        weights.write_bytes(content.replace(b'"fc2.bias"', b'"fc9.bias"').replace(b"[4,12]", b"[12,4]"))
        evaluate = ("eval", f"--recipe={self.recipe}", f"--weights={weights}", f"--data={self.data}")
        patterns = (r"missing: fc2\.bias \[4\]; of another shape or type: fc2\.weight F32 \[12, 4\] instead of F32 "
                    r"\[4, 12\]; unknown: fc9\.bias",)
        self.check(evaluate, FAILURE, *patterns)
        self.check_train(FAILURE, *patterns, more=[f"--weights={weights}"])
        weights.write_bytes(content[:-4] + b"\xff" * 4)
        self.check(evaluate, FAILURE, "not finite: fc2.weight")
        weights.write_bytes(content)
        self.check(("eval", self.checkpoint(), f"--weights={weights}"), USAGE, "either a checkpoint, or --recipe")
        self.check(("eval", f"--weights={weights}"), USAGE, "--recipe and --weights")
        self.check(("eval",), USAGE, "expected a checkpoint, or --recipe")
        self.check(("export", self.checkpoint()), USAGE, "--onnx or --weights")

    def test_two_exports(self):
        path = self.checkpoint()
        (self.folder / "link").symlink_to(self.folder)
        for onnx, weights in (("same", "same"), ("same", "./same"), (self.folder / "same", "data/../same"),
                              ("same", "link/same")):
            self.check(("export", path, f"--onnx={onnx}", f"--weights={weights}"), FAILURE, "two files")
        self.run_bitgate("freeze", path, "-o", "frozen.safetensors")
        for onnx, weights in (("m.onnx", "no/such/w"), ("no/such/m.onnx", "w.safetensors")):
            self.check(("export", "frozen.safetensors", f"--onnx={onnx}", f"--weights={weights}"), FAILURE, "no/such")
        self.run_bitgate("export", "frozen.safetensors", "--onnx=m.onnx", "--weights=w.safetensors")

    def test_cuda_without_cuda(self):
        if self.run_json("version")["build"] == "cuda":
            self.skipTest("a CUDA build")
        self.check_train(FAILURE, "cuda:0", "CUDA", more=["--device=cuda:0"])
        self.check(("eval", self.checkpoint(), "--device=cuda:0"), FAILURE, "cuda:0")
        said = self.run_json("version", "--device=cuda:0")  # which is not the failure of telling so
        self.assertNotIn("device_name", said)
        self.assertRegex(said["device_error"], "CPU-only build")
        self.assertIn("not usable: ", self.run_bitgate("version", "--device=cuda:0")[0])

    # -- Checkpoints -------------------------------------------------------------------------------------------------

    def check_every_reader(self, path, *patterns):
        for arguments in (
            ("bits", path),
            ("eval", path, f"--data={self.data}"),
            ("freeze", path, "-o", "f.safetensors"),
            ("export", path, "--onnx=m.onnx"),
            ("fine-tune", path, "--epochs=1", "-o", "t.safetensors"),
        ):
            with self.subTest(arguments[0]):
                self.check(arguments, FAILURE, re.escape(str(path)), *patterns)

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path

    def test_missing_checkpoint(self):
        self.check_every_reader(self.folder / "missing.safetensors", "No such file")

    def test_truncated_checkpoint(self):
        content = self.checkpoint().read_bytes()
        for length in (0, 5, 8, 300, len(content) // 2, len(content) - 1):
            with self.subTest(length):
                self.check_every_reader(self.write("short.safetensors", content[:length]))

    def test_hostile_header(self):
        for name, content in (
            ("huge length", b"\xff" * 7 + b"\x7f" + b"{}"),
            ("length past the end", struct.pack("<Q", 1 << 40) + b"{}"),
            ("no JSON", struct.pack("<Q", 4) + b"nono"),
            ("deep", struct.pack("<Q", 200000) + b"[" * 200000),
        ):
            with self.subTest(name):
                self.check_every_reader(self.write("hostile.safetensors", content))

    def header_of(self, content):
        (length,) = struct.unpack("<Q", content[:8])
        return json.loads(content[8:8 + length]), content[8 + length:]

    def with_header(self, header, data):
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        return struct.pack("<Q", len(text)) + text + data

    def test_hostile_tensor_sizes(self):
        header, data = self.header_of(self.checkpoint().read_bytes())
        for shape, offsets in (([1 << 40, 1 << 40], None), (None, [0, 1 << 62]), (None, [64, 0]), ([-1], None)):
            changed = json.loads(json.dumps(header))
            tensor = changed["conv1/weight"]
            tensor["shape"] = shape or tensor["shape"]
            tensor["data_offsets"] = offsets or tensor["data_offsets"]
            with self.subTest(str(tensor)):
                self.check_every_reader(self.write("hostile.safetensors", self.with_header(changed, data)))

    def test_hostile_graph(self):
        """A graph that asks for more memory than the file has tensors for."""
        header, data = self.header_of(self.checkpoint().read_bytes())
        text = header["__metadata__"]["graph"]
        self.assertIn("channels: 12", text)
        header["__metadata__"]["graph"] = text.replace("channels: 12", "channels: 12000000000")
        self.check_every_reader(self.write("hostile.safetensors", self.with_header(header, data)))

    def test_damaged_text_in_the_metadata(self):
        header, data = self.header_of(self.checkpoint().read_bytes())
        for key in ("graph", "configuration", "network_state"):
            changed = json.loads(json.dumps(header))
            changed["__metadata__"][key] = "no such thing {"
            with self.subTest(key):
                self.check_every_reader(self.write("damaged.safetensors", self.with_header(changed, data)))

    def test_foreign_checkpoint(self):
        header = {"weight": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
        self.check_every_reader(self.write("foreign.safetensors", self.with_header(header, b"\0" * 8)), "format")
        self.check_every_reader(self.write("text.safetensors", b"this is not a checkpoint at all, no"))

    def test_missing_tensor(self):
        header, data = self.header_of(self.checkpoint().read_bytes())
        header["conv1/weigth"] = header.pop("conv1/weight")
        self.check_every_reader(self.write("other.safetensors", self.with_header(header, data)), "conv1/wei")

    def test_bsq_run_that_was_stopped(self):
        text = re.sub(r"quantizer \{.*?\}", 'quantizer { method: "bsq" }', harness.RECIPE)
        self.recipe.write_text(text.replace("epochs: 3", "epochs: 1 requantize_every: 1"), encoding="utf-8")
        path = self.folder / "run.safetensors"
        self.run_bitgate(*self.train_arguments(path, "--quantizer.initial_bits=6"))
        header, data = self.header_of(path.read_bytes())
        state = json.loads(header["__metadata__"]["network_state"])
        state["method"] = json.dumps(dict(json.loads(state["method"]), largest={}))  # as before the end of training
        header["__metadata__"]["network_state"] = json.dumps(state)
        stopped = self.write("stopped.safetensors", self.with_header(header, data))
        self.check(("freeze", stopped, "-o", "frozen.safetensors"), FAILURE, "calibrate with training images")
        self.check(("freeze", stopped, "--data=nowhere", "-o", "frozen.safetensors"), FAILURE, "nowhere")
        self.run_bitgate("freeze", stopped, f"--data={self.data}", "-o", "frozen.safetensors")
        self.run_bitgate("freeze", path, "-o", "expected.safetensors")
        self.assertEqual(*(harness.digest(self.folder / f"{name}.safetensors") for name in ("frozen", "expected")))

        endless = self.folder / "endless.safetensors"
        process = self.start(*self.train_arguments(endless, "--epochs=100000", "--training.requantize_every=100000",
                                                   "--quantizer.initial_bits=6", "--quantizer.alpha=5"))
        while not endless.exists():
            self.assertIsNone(process.poll())
            time.sleep(0.05)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.communicate(timeout=60) and process.returncode, 130)
        self.run_bitgate("freeze", endless, f"--data={self.data}", "-o", "requantized.safetensors")
        bits = [row["weight_bits"] for row in self.run_json("bits", "requantized.safetensors")["layers"]]
        self.assertLess(min(bits), 6)  # as at the end of training: planes that are not needed are dropped

    def test_states_that_do_not_fit(self):
        path = self.checkpoint()
        self.check(("export", path, "--onnx=m.onnx"), FAILURE, "freeze it first", re.escape(str(path)))
        self.check(("fine-tune", path, "--epochs=1", "-o", "t.safetensors"), FAILURE, "freeze it first")
        self.run_bitgate("freeze", path, "-o", "frozen.safetensors")
        self.check(("freeze", "frozen.safetensors", "-o", "again.safetensors"), FAILURE, "frozen already")
        self.check(("freeze", path, "-o", path), FAILURE, "another file")
        self.check(("fine-tune", "frozen.safetensors", "-o", "t.safetensors"), USAGE, "--epochs")

    # -- Output ------------------------------------------------------------------------------------------------------

    def test_unwritable_output(self):
        path = self.checkpoint()
        for output in (self.folder / "nowhere" / "x", self.recipe / "x", self.data, "/dev/null"):
            with self.subTest(str(output)):
                place = re.escape(str(output))
                self.check(self.train_arguments(output), FAILURE, place)
                self.check(("freeze", path, f"--output={output}"), FAILURE, place)
                self.check(("eval", path, f"--data={self.data}", f"--predictions={output}"), FAILURE, place)

    def test_full_disk(self):
        """A limit on the size of files stands for a full disk: writing fails half-way through."""
        path = self.checkpoint()
        limited = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))}
        self.check(("freeze", path, "--output=f.safetensors"), FAILURE, "f.safetensors", **limited)
        self.run_bitgate("freeze", path, "--output=f.safetensors")
        onnx = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))}
        self.check(("export", "f.safetensors", "--onnx=m.onnx"), FAILURE, "m.onnx", **onnx)
        _, err = self.run_bitgate(*self.train_arguments(self.folder / "run.safetensors"), expect=FAILURE, **limited)
        self.assertRegex(err.splitlines()[-1], "^bitgate: error: .*run.best.safetensors")
        self.assertEqual({path.name for path in self.folder.glob("run.*")}, {"run.log.jsonl"})

    def test_full_standard_output(self):
        path = self.checkpoint()
        with open("/dev/full", "w", encoding="utf-8") as full:
            process = harness.subprocess.run([self.program, "bits", str(path)], stdout=full, check=False,
                                             stderr=harness.subprocess.PIPE, text=True, env=harness.environment())
        self.assertEqual(process.returncode, FAILURE)
        self.assertRegex(process.stderr, "^bitgate: error: standard output")


if __name__ == "__main__":
    harness.main()
