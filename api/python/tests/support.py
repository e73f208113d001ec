"""What the tests of the Python module share: tiny data, a tiny network and a recipe for a second."""

import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import textwrap
import unittest

import numpy

import bitgate as bg

CLASSES = 4
SIZE = 8

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


def tiny_graph():
    g = bg.GraphBuilder("tiny")
    x = g.input([SIZE, SIZE, 1], scale=1 / 255, mean=0.25, std=0.5)
    x = g.conv2d(x, 6, kernel=3)
    x = g.relu(x)
    x = g.max_pool(x, 2)
    x = g.flatten(x)
    x = g.linear(x, 12)
    x = g.relu(x)
    g.linear(x, CLASSES)
    return g.build()


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


def tiny_data(train=640, test=200):
    return bg.data.arrays(*images_and_labels(train, 1), *images_and_labels(test, 2), classes=CLASSES)


def write_idx(path, array):
    header = struct.pack(">I", 0x0800 | array.ndim) + b"".join(struct.pack(">I", n) for n in array.shape)
    pathlib.Path(path).write_bytes(header + array.tobytes())


def write_data(folder, train=640, test=200):
    folder.mkdir(exist_ok=True)
    for prefix, count, seed in (("train", train, 1), ("t10k", test, 2)):
        images, labels = images_and_labels(count, seed)
        write_idx(folder / f"{prefix}-images-idx3-ubyte", images)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte", labels)
    return folder


def tiny_model(epochs=3, **options):
    method = bg.BayesianBits(mu=0.02, initial_gate=2, initially_closed_bits=[16, 32])
    model = bg.Model(tiny_graph(), method, seed=7, **options)
    config = model.config
    for path, value in {"training.epochs": epochs, "training.batch_size": 32, "training.weights.learning_rate": 0.01,
                        "training.gates.learning_rate": 0.05, "training.ranges.learning_rate": 0.01,
                        "evaluation.batch_size": 64}.items():
        config.set(path, value)
    model.config = config
    return model


def onnx_classes(path, images):
    """The class of each raw image by an exported model."""
    import onnxruntime  # pylint: disable=import-outside-toplevel

    session = onnxruntime.InferenceSession(path)
    preprocessing = json.loads(session.get_modelmeta().custom_metadata_map["bitgate.preprocessing"])
    x = images.reshape([-1, *preprocessing["shape"]]).astype("float32") * numpy.float32(preprocessing["scale"])
    x = (x - numpy.array(preprocessing["mean"], "float32")) / numpy.array(preprocessing["std"], "float32")
    return session.run(None, {"input": x})[0].argmax(1)


def run_python(code, *arguments, **options):
    """A Python of its own that can import the package and this module."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)], env=environment,
                            **options)


class Case(unittest.TestCase):
    """A folder of its own for each test."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def write_recipe(self):
        (self.folder / "tiny_graph.textproto").write_text(tiny_graph().text, encoding="utf-8")
        recipe = self.folder / "recipe.textproto"
        recipe.write_text(RECIPE, encoding="utf-8")
        return recipe

    def check(self, raises, *expected, call):
        """The call raises exactly this class, with a message that has all of `expected` in it."""
        with self.assertRaises(raises) as context:
            call()
        self.assertIs(type(context.exception), raises, context.exception)
        for text in expected:
            self.assertIn(text, str(context.exception))
        return context.exception
