"""Labelled images: folders of IDX files, and arrays.

Images are raw: a network's graph says how they are preprocessed.
"""

from __future__ import annotations

import functools
import operator
import os
from typing import Any

import numpy
import numpy.typing

from bitgate import _core
from bitgate.tensors import to_integers

__all__ = ["Data", "Dataset", "arrays", "fashion_mnist", "folder", "mnist"]

_INT32 = numpy.dtype("int32")


def raw_images(where: str, images: Any) -> numpy.ndarray[Any, Any]:
    """uint8 or float32, C-contiguous; other floats become float32."""
    array = numpy.asarray(images)
    if array.dtype.kind == "f":
        return numpy.ascontiguousarray(array, dtype=numpy.float32)
    if array.dtype != numpy.uint8:
        raise ValueError(f"{where}: expected images of dtype uint8 or float32, got {array.dtype}")
    return numpy.ascontiguousarray(array)


def raw_labels(where: str, labels: Any) -> numpy.ndarray[Any, Any]:
    """int32, from any integer dtype."""
    array = numpy.asarray(labels)
    if array.dtype.kind not in "iu":
        nan = " with NaN" if array.dtype.kind == "f" and numpy.isnan(array).any() else ""
        raise ValueError(f"{where}: expected labels of an integer dtype, got {array.dtype}{nan}")
    return to_integers(f"{where}: labels", array, _INT32)


class Dataset:
    """Labelled images in memory; a copy of what it was made from. Immutable.

    Args:
      images: uint8 or float (kept as float32), finite; [n, height, width, channels], [n, height, width] of one
        channel, or [n, features] for a network whose input is flat.
      labels: [n], of any integer dtype, from 0.
      classes: their number; 0: one more than the largest label.

    Raises ValueError for shapes and dtypes that do not fit, pixels that are not finite, and labels that are no class.
    """

    def __init__(self, images: Any, labels: Any, classes: int = 0) -> None:
        pixels = raw_images("data set", images)
        if pixels.ndim == 3:
            pixels = pixels[..., numpy.newaxis]
        elif pixels.ndim == 2:
            pixels = pixels[:, numpy.newaxis, numpy.newaxis, :]
        classes = operator.index(classes)
        if not 0 <= classes < 1 << 31:
            raise ValueError(f"data set: expected classes from 0 to {(1 << 31) - 1}, got {classes}")
        self._core = _core.Dataset.from_arrays(pixels, raw_labels("data set", labels), classes)

    @classmethod
    def _wrapped(cls, core: _core.Dataset) -> Dataset:
        dataset = cls.__new__(cls)
        dataset._core = core
        return dataset

    def __len__(self) -> int:
        return self._core.size

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self._core.image_shape

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self._core.classes

    @property
    def images(self) -> numpy.ndarray[Any, Any]:
        """The pixels [n, height, width, channels], read-only and without a copy."""
        return _read_only(self._core.images)

    @property
    def labels(self) -> numpy.ndarray[Any, Any]:
        """The labels [n], int32, read-only and without a copy."""
        return _read_only(self._core.labels)

    def __repr__(self) -> str:
        height, width, channels = self.image_shape
        return f"Dataset({len(self)} images of {height}x{width}x{channels}, {self.classes} classes)"

    def __reduce__(self) -> tuple[Any, ...]:
        return Dataset, (self.images, self.labels, self.classes)


def _read_only(tensor: _core.Tensor) -> numpy.ndarray[Any, Any]:
    array = tensor.numpy()
    array.flags.writeable = False
    return array


class Data:
    """Images to train on and images to test with: what Trainer takes, and Model.evaluate takes the test half of.

    Attributes:
      train, test: the halves.
    """

    def __init__(self, train: Dataset, test: Dataset) -> None:
        self.train = train
        self.test = test

    def __repr__(self) -> str:
        return f"Data(train={self.train!r}, test={self.test!r})"


class _Folder(Data):
    """Halves that are read when they are first asked for."""

    def __init__(self, path: str, classes: int) -> None:  # pylint: disable=super-init-not-called
        self._path = path
        self._classes = classes

    def _read(self, split: str) -> Dataset:
        return Dataset._wrapped(_core.Dataset.from_folder(self._path, split, self._classes))

    @functools.cached_property
    def train(self) -> Dataset:  # type: ignore[override]
        return self._read("train")

    @functools.cached_property
    def test(self) -> Dataset:  # type: ignore[override]
        return self._read("test")

    def __repr__(self) -> str:
        return f"bitgate.data.folder({self._path!r})" if self._path else "bitgate.data.fashion_mnist()"


def folder(path: str | os.PathLike[str], classes: int = 0) -> Data:
    """The four IDX files of the MNIST family, plain or gzip, in a folder. They are read when they are first needed.

    Args:
      path: holds train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-... and t10k-labels-... (idx4: colour).
      classes: their number; 0: one more than the largest label.

    Raises FileNotFoundError for a folder that is not there; when reading, for a file that is not, and DataError for one
    that is damaged.
    """
    if not os.path.isdir(path):
        raise FileNotFoundError(f"data: expected a folder of IDX or CIFAR files, got {os.fspath(path)!r}, which is none")
    return _Folder(os.fspath(path), classes)


def mnist(path: str | os.PathLike[str]) -> Data:
    """MNIST from a folder with its four files. Raises what folder() raises."""
    return folder(path, 10)


def fashion_mnist() -> Data:
    """Fashion-MNIST of the Debian package dataset-fashion-mnist. Reading raises FileNotFoundError without it."""
    return _Folder("", 10)


def arrays(images: numpy.typing.ArrayLike, labels: numpy.typing.ArrayLike, test_images: numpy.typing.ArrayLike,
           test_labels: numpy.typing.ArrayLike, classes: int = 0) -> Data:
    """Arrays as Dataset takes them; `classes` is of both halves. Raises what Dataset raises."""
    train = Dataset(images, labels, classes)
    return Data(train, Dataset(test_images, test_labels, classes or train.classes))
