"""Type checkers, the stub of the extension, and help() are all there."""

import inspect
import os
import pathlib
import subprocess
import sys
import unittest

import bitgate as bg

PACKAGE = pathlib.Path(bg.__file__).parent
HERE = pathlib.Path(__file__).parent

USE = """
import numpy
import bitgate as bg

net: bg.Model = bg.models.lenet5(quantizer=bg.BayesianBits(mu=0.1))
run: bg.Run = bg.Trainer(net, bg.data.mnist("/path"), epochs=100).fit(on_epoch=lambda epoch: print(epoch.test_loss))
net.freeze()
run.fine_tune(epochs=10)
x: bg.Tensor = bg.tensor([1.0], requires_grad=True)
y = (x * 2 + 1 - x).sum() @ x[0:1]
logits, penalty = net(x, train=True)
rows: int = len(net(x))
bg.ops.conv2d(x, x, stride=(1, 2), activation="relu")
classes: numpy.ndarray = net.predict([[1]])
bsq = bg.models.resnet20(quantizer=bg.BSQ(alpha=0.005), shortcut="identity")
bg.Trainer(bsq, bg.data.mnist("/path"), requantize_every=2).fit(on_requantize=lambda report: print(report.warnings))
tensors: list[bg.RequantizedTensor] = bsq.requantize().tensors
bsq.calibrate([[1]])
"""
MISUSE = """
import bitgate as bg

bg.Trainer(5)
bg.BayesianBits(nu=1)
bg.ops.relu("a")
bg.tensor([1.0]).shap
"""


class TypingTest(unittest.TestCase):

    def run_module(self, *arguments):
        folder = os.environ.get("TEST_TMPDIR", "/tmp")
        environment = {**os.environ, "MYPYPATH": str(PACKAGE.parent), "MYPY_CACHE_DIR": os.path.join(folder, "mypy"),
                       "PYTHONPATH": os.pathsep.join([str(PACKAGE.parent), *sys.path])}
        process = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, env=environment,
                                 cwd=folder, check=False)
        return process.returncode, process.stdout + process.stderr

    def test_the_package_is_typed(self):
        self.assertTrue((PACKAGE / "py.typed").exists())
        code, out = self.run_module("mypy", "--strict", "-p", "bitgate")
        self.assertEqual(code, 0, out)

    def test_use_and_misuse(self):
        code, out = self.run_module("mypy", "-c", USE)
        self.assertEqual(code, 0, out)
        code, out = self.run_module("mypy", "-c", MISUSE)
        self.assertIn("Found 4 errors", out)

    def test_the_stub_is_the_extension(self):
        allowlist = str(HERE / "stubtest_allowlist.txt")
        code, out = self.run_module("mypy.stubtest", "bitgate._core", "--allowlist", allowlist,
                                    "--ignore-unused-allowlist")
        self.assertEqual(code, 0, out)

    def test_everything_public_is_explained(self):
        missing = []

        def visit(name, thing):
            if not inspect.getdoc(thing):
                missing.append(name)
            if not inspect.isclass(thing):
                return
            for member, value in vars(thing).items():
                explained = callable(value) or isinstance(value, (property, staticmethod, classmethod))
                if not member.startswith("_") and explained and not inspect.getdoc(getattr(thing, member)):
                    missing.append(f"{name}.{member}")

        for name in bg.__all__:
            visit(name, getattr(bg, name))
        for module in (bg.ops, bg.models, bg.data):
            for name in module.__all__:
                visit(f"{module.__name__}.{name}", getattr(module, name))
        self.assertEqual(missing, [])

    def test_names(self):
        self.assertEqual(sorted(bg.__all__), bg.__all__)
        self.assertRegex(bg.__version__, r"^\d+\.\d+\.\d+$")
        self.assertEqual(bg.describe()["version"], bg.__version__)
        threads = bg.get_threads()
        bg.set_threads(1)
        self.assertEqual(bg.get_threads(), 1)
        bg.set_threads(threads)
        with self.assertRaises(ValueError):
            bg.set_threads(0)


if __name__ == "__main__":
    unittest.main()
