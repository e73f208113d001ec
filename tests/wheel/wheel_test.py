"""The wheel as its user has it: installed by pip into a clean virtual environment that has NumPy and nothing else."""

import argparse
import csv
import pathlib
import os
import re
import subprocess
import sys
import tempfile
import unittest
import zipfile

import numpy

from package import private_libraries

# What the README promises in a few lines, on images made here.
PROGRAM = """
import copy, pickle, sys
import numpy as np
import bitgate as bg

assert not {"onnx", "onnxruntime", "tqdm", "torch"} & set(sys.modules)
random = np.random.default_rng(1)

def images(count):
    labels = np.arange(count) % 3
    pixels = random.integers(0, 120, (count, 8, 8))
    for image, label in zip(pixels, labels):
        image[2 * label : 2 * label + 2] += 130
    return pixels.astype(np.uint8), labels

builder = bg.GraphBuilder("bars")
x = builder.input([8, 8, 1], scale=1 / 255)
x = builder.relu(builder.conv2d(x, 6, kernel=3))
x = builder.linear(builder.flatten(x), 3)
net = bg.Model(builder.build(), quantizer=bg.BayesianBits(mu=0.01))
data = bg.data.arrays(*images(480), *images(120))
run = bg.Trainer(net, data, epochs=6, batch_size=32,
                 settings={"training.weights.learning_rate": 0.01}).fit()
net.freeze()
run.fine_tune(epochs=1)
assert net.evaluate(data).accuracy > 0.9, net.evaluate(data).accuracy
net.export_onnx("model.onnx")
net.save("model.safetensors")
twin = pickle.loads(pickle.dumps(net))
test = images(50)[0]
assert (bg.load("model.safetensors").predict(test) == twin.predict(test)).all()
w = bg.tensor(np.ones(3, np.float32), requires_grad=True)
(w * w).sum().backward()
assert w.grad.tolist() == [2, 2, 2]
print("worked with", np.__version__)
"""


class WheelTest(unittest.TestCase):

    wheel = None

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.run_command("/usr/bin/python3", "-m", "venv", "env")
        cls.python = cls.folder / "env" / "bin" / "python"
        cls.run_command(cls.python, "-m", "pip", "install", "-q", "--no-index", "--no-deps", cls.wheel)
        (cls.site,) = cls.folder.glob("env/lib/python*/site-packages")
        numpy_folder = pathlib.Path(numpy.__file__).resolve().parent
        for name in ("numpy", "numpy.libs"):
            (cls.site / name).symlink_to(numpy_folder.parent / name)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    @classmethod
    def run_command(cls, *words):
        process = subprocess.run([str(word) for word in words], cwd=cls.folder, text=True, timeout=240,
                                 env={"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "2"},
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if process.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, words))}: exit status {process.returncode}\n{process.stdout}")
        return process.stdout

    def test_trains_freezes_and_exports(self):
        self.assertIn("worked with", self.run_command(self.python, "-c", PROGRAM))
        self.assertGreater((self.folder / "model.onnx").stat().st_size, 1000)

    def test_needs_numpy_alone(self):
        shown = self.run_command(self.python, "-m", "pip", "show", "bitgate")
        self.assertRegex(shown, r"(?m)^Requires: numpy$")

    def test_libraries_are_inside(self):
        package = self.site / "bitgate"
        libraries = list(package.rglob("*.so*"))
        self.assertGreaterEqual(len(libraries), 3)
        for library in libraries:
            for name, path in private_libraries.resolved_libraries(library).items():
                inside = path is not None and package.resolve() in pathlib.Path(path).resolve().parents
                self.assertTrue(inside or name in private_libraries.OUTSIDE, f"{library.name} needs {name} from {path}")

    def test_exports_its_entry_alone(self):
        (extension,) = (self.site / "bitgate").glob("_core*.so")
        names = self.run_command("nm", "-D", "--defined-only", "--extern-only", extension).split()[2::3]
        self.assertEqual(names, ["PyInit__core"])

    def test_is_what_its_name_and_record_say(self):
        version, tag, abi, platform = re.fullmatch(r"bitgate-([\d.]+)-(\w+)-(\w+)-(\w+)\.whl", self.wheel.name).groups()
        self.assertRegex(platform, r"^manylinux_2_\d+_x86_64$")
        information = self.site / f"bitgate-{version}.dist-info"
        self.assertIn(f"Tag: {tag}-{abi}-{platform}", (information / "WHEEL").read_text())
        metadata = (information / "METADATA").read_text(encoding="utf-8")
        for field in ("Name: bitgate", f"Version: {version}", "Requires-Python: ==", "License: Apache-2.0"):
            self.assertIn(field, metadata)
        self.assertTrue((self.site / "bitgate" / "py.typed").exists())
        with zipfile.ZipFile(self.wheel) as wheel:
            self.assertIsNone(wheel.testzip())
            recorded = {row[0] for row in csv.reader(wheel.read(f"{information.name}/RECORD").decode().splitlines())}
            self.assertEqual(recorded, set(wheel.namelist()))
            self.assertTrue(any(name.endswith("licenses/LICENSE") for name in recorded))
            openmp = wheel.read(f"{information.name}/licenses/third_party/libgomp.txt").decode()
            for text in ("GCC RUNTIME LIBRARY EXCEPTION", "END OF TERMS AND CONDITIONS"):
                self.assertIn(text, openmp)

    def test_types_are_seen(self):
        """By a type checker, from outside, through py.typed and the stubs."""
        (self.folder / "user.py").write_text(
            "import bitgate as bg\nreveal_type(bg.load('x').frozen)\nbg.models.lenet5(quantizer=3)\n")
        process = subprocess.run([sys.executable, "-m", "mypy", "--python-executable", self.python, "user.py"],
                                 cwd=self.folder, capture_output=True, text=True, timeout=240)
        self.assertIn('Revealed type is "bool', process.stdout.replace("builtins.", ""))
        self.assertIn('Argument "quantizer"', process.stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--wheel", required=True)
    options, rest = parser.parse_known_args()
    (WheelTest.wheel,) = pathlib.Path(options.wheel).resolve().glob("*.whl")
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)


main()
