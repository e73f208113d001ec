"""A document's code blocks work: DOCUMENT --bitgate=... --sdk=... [--wheel=FOLDER, for a document that installs it]"""

import argparse
import os
import pathlib
import shutil
import struct
import sys
import tarfile
import tempfile

import numpy

import snippets


def write_images(folder):
    """28x28 images in ten classes: a bright band of rows whose place is the class."""
    folder.mkdir()
    random = numpy.random.default_rng(1)
    for prefix, count in (("train", 256), ("t10k", 128)):
        labels = (numpy.arange(count) % 10).astype(numpy.uint8)
        images = random.integers(0, 100, (count, 28, 28))
        for image, label in zip(images, labels):
            image[2 * label + 2:2 * label + 5] += 130
        for name, array in ((f"{prefix}-images-idx3-ubyte", images.astype(numpy.uint8)),
                            (f"{prefix}-labels-idx1-ubyte", labels)):
            header = struct.pack(">I", 0x0800 | array.ndim) + b"".join(struct.pack(">I", n) for n in array.shape)
            (folder / name).write_bytes(header + array.tobytes())


def environment_of(options, folder):
    """What a reader has who has done what the document says about getting it."""
    with tarfile.open(options.sdk) as tar:
        tar.extractall(folder / "sdk")
    (sdk,) = (folder / "sdk").iterdir()
    programs = folder / "bin"
    programs.mkdir()
    (programs / "python3").symlink_to(sys.executable)
    (programs / "bitgate").symlink_to(options.bitgate)
    pip = programs / "pip"
    pip.write_text('#!/bin/sh\nexec python3 -m pip "$@"\n', encoding="utf-8")
    pip.chmod(0o755)
    if options.wheel:
        for wheel in pathlib.Path(options.wheel).glob("*.whl"):
            shutil.copy(wheel, folder)
    return {
        "PATH": f"{programs}:/usr/bin:/bin",
        # What the document installs goes before what is there.
        "PYTHONPATH": os.pathsep.join([str(folder / "installed"), *sys.path]),
        "PIP_TARGET": str(folder / "installed"),
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PKG_CONFIG_PATH": str(sdk / "lib" / "pkgconfig"),
        "DATA": str(folder / "FOLDER"),
        "HOME": str(folder),
        "OMP_NUM_THREADS": "2",
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("document", type=os.path.abspath)
    for name in ("bitgate", "sdk"):
        parser.add_argument(f"--{name}", required=True, type=os.path.abspath)
    parser.add_argument("--wheel", type=os.path.abspath)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as temporary:
        folder = pathlib.Path(temporary)
        write_images(folder / "FOLDER")
        for reason in snippets.run_document(options.document, folder, environment_of(options, folder)):
            print("not run:", reason)


main()
