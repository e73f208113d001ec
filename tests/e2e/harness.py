"""What the end-to-end tests share: the program, tiny IDX data, a tiny network and a recipe for a second."""

import argparse
import hashlib
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

import numpy

CLASSES = 4
SIZE = 8

GRAPH = """
name: "tiny"
input { shape: [8, 8, 1]  preprocessing { scale: 0.00392156862745098 mean: 0.25 std: 0.5 } }
node { name: "conv1"  kind: "conv2d"    input: "input"  attributes { channels: 6  kernel: 3 } }
node { name: "relu1"  kind: "relu"      input: "conv1" }
node { name: "pool1"  kind: "max_pool"  input: "relu1"  attributes { kernel: 2 } }
node { name: "flat"   kind: "flatten"   input: "pool1" }
node { name: "fc1"    kind: "linear"    input: "flat"   attributes { channels: 12 } }
node { name: "relu2"  kind: "relu"      input: "fc1" }
node { name: "fc2"    kind: "linear"    input: "relu2"  attributes { channels: 4 } }
"""

# Gates move fast, so that bits and channels change within a few dozen steps.
RECIPE = """
network { graph_file: "tiny_graph.textproto" }
quantizer { method: "bayesian_bits" mu: 0.02 initial_gate: 2 initially_closed_bits: [16, 32] }
training {
  epochs: 3
  batch_size: 32
  seed: 7
  weights { learning_rate: 0.01 schedule { kind: LINEAR_LAST_THIRD } }
  gates { learning_rate: 0.05 }
  ranges { learning_rate: 0.01 }
}
evaluation { batch_size: 64 }
"""

FINE_TUNE = """
fine_tune {
  epochs: 2
  weights { learning_rate: 0.002 schedule { kind: COSINE } }
  ranges { learning_rate: 0.002 }
}
"""


def images_and_labels(count, seed):
    """A bright bar per class, its place noisy; learnable, not trivial."""
    random = numpy.random.default_rng(seed)
    labels = random.integers(0, CLASSES, count)
    images = random.integers(0, 90, (count, SIZE, SIZE))
    for image, label in zip(images, labels):
        shift = random.integers(0, 2)
        if label < 2:
            image[2 + 3 * label + shift, :] += 140
        else:
            image[:, 2 + 3 * (label - 2) + shift] += 140
    return images.astype(numpy.uint8), labels.astype(numpy.uint8)


def write_idx(path, array):
    header = struct.pack(">I", 0x0800 | array.ndim) + b"".join(struct.pack(">I", n) for n in array.shape)
    pathlib.Path(path).write_bytes(header + array.tobytes())


def write_data(folder, train=640, test=200):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, count, seed in (("train", train, 1), ("t10k", test, 2)):
        images, labels = images_and_labels(count, seed)
        write_idx(folder / f"{prefix}-images-idx3-ubyte", images)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte", labels)
    return folder


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def checkpoint_metadata(path):
    """What a safetensors file says about itself."""
    content = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8:8 + length])["__metadata__"]


def environment():
    """One thread in the program: tests run beside each other. What it loads is found from any folder."""
    libraries = [os.path.abspath(path) for path in os.environ.get("LD_LIBRARY_PATH", "").split(":") if path]
    found = {"LD_LIBRARY_PATH": ":".join(libraries)} if libraries else {}
    return {**os.environ, **found, "OMP_NUM_THREADS": "1"}


class Case(unittest.TestCase):
    """A folder of its own for each test, with data, graph and recipe in it."""

    program = None  # path of the binary, from --bitgate

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.data = write_data(self.folder / "data")
        (self.folder / "tiny_graph.textproto").write_text(GRAPH, encoding="utf-8")
        self.recipe = self.folder / "recipe.textproto"
        self.recipe.write_text(RECIPE, encoding="utf-8")

    def start(self, *arguments, env=None, **options):
        return subprocess.Popen([self.program, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, env={**environment(), **(env or {})}, cwd=self.folder, **options)

    def run_bitgate(self, *arguments, expect=0, **options):
        process = self.start(*arguments, **options)
        out, err = process.communicate(timeout=240)
        self.assertEqual(process.returncode, expect, f"bitgate {' '.join(map(str, arguments))}\n{out}\n{err}")
        return out, err

    def run_json(self, *arguments):
        out, _ = self.run_bitgate(*arguments, "--json")
        lines = out.splitlines()
        self.assertEqual(len(lines), 1, out)
        return json.loads(lines[0])

    def train_arguments(self, output, *more):
        return ("train", f"--recipe={self.recipe}", f"--data={self.data}", f"--output={output}", *more)


def main(define_flags=None):
    """Parses --bitgate (and what `define_flags` adds), leaves the rest to unittest."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bitgate", required=True, help="the program to test")
    if define_flags:
        define_flags(parser)
    options, rest = parser.parse_known_args()
    Case.program = str(pathlib.Path(options.bitgate).resolve())
    Case.options = options
    unittest.main(module=sys.modules["__main__"], argv=[sys.argv[0], *rest], verbosity=2)
