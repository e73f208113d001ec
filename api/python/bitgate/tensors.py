"""Making tensors, and switching recording off."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any, Literal

import numpy

from bitgate import _core
from bitgate._core import Tensor

Compute = Literal["float32", "tf32", "bfloat16"]

_DTYPES = ("float32", "int32", "int8", "uint8")


def _dtype_of(dtype: Any) -> numpy.dtype[Any]:
    known: numpy.dtype[Any] = numpy.dtype(dtype)
    if known.name not in _DTYPES:
        raise ValueError(f"dtype: expected float32, int32, int8 or uint8, got {known.name}")
    return numpy.dtype(known.name)


def _default_dtype(array: numpy.ndarray[Any, Any]) -> numpy.dtype[Any]:
    """What Python's own numbers and other libraries' widths become where nothing was asked for."""
    if array.dtype.name in _DTYPES:
        return _dtype_of(array.dtype)
    if array.dtype.kind == "f":
        return numpy.dtype("float32")
    if array.dtype.kind == "b":
        return numpy.dtype("uint8")
    if array.dtype.kind in "iu":
        return numpy.dtype("int32")
    raise TypeError(f"tensor: expected numbers, got dtype {array.dtype}")


def to_integers(where: str, array: numpy.ndarray[Any, Any], dtype: numpy.dtype[Any]) -> numpy.ndarray[Any, Any]:
    """The array in another integer dtype; ValueError for values that it cannot hold."""
    if array.size and array.dtype != dtype:
        low, high = numpy.iinfo(dtype).min, numpy.iinfo(dtype).max
        least, largest = array.min(), array.max()
        if not (least >= low and largest <= high):  # also for NaN
            raise ValueError(f"{where}: expected values from {low} to {high}, got {least} to {largest}")
    return numpy.ascontiguousarray(array, dtype=dtype).reshape(array.shape)


def tensor(data: Any, dtype: Any = None, requires_grad: bool = False, device: str = "cpu") -> Tensor:
    """A tensor with a copy of `data`.

    Args:
      data: a number, nested lists, a NumPy array of any order, a tensor, or what numpy.asarray takes.
      dtype: float32, int32, int8 or uint8. None: that of `data` where tensors have it; other floats become float32,
        other integers int32, bool uint8.
      requires_grad: whether it is a leaf that backward() gives a grad; float32 only.
      device: "cpu", or "cuda:<index>" in builds that have it.

    Raises ValueError for values that the dtype cannot hold, more than 6 dimensions or another dtype, TypeError for what
    are no numbers, NotImplementedError for a device that this build lacks.
    """
    array = numpy.asarray(data)
    wanted = _default_dtype(array)
    if dtype is not None:
        wanted = _dtype_of(dtype)
    if wanted.kind in "iu":
        array = to_integers("tensor", array, wanted)
    else:
        array = numpy.ascontiguousarray(array, dtype=wanted).reshape(array.shape)
    return _core.copy_of(array, requires_grad, device)


def from_numpy(array: numpy.ndarray[Any, Any]) -> Tensor:
    """A tensor in the array's own memory: both see what the other writes.

    The array is C-contiguous, writable and of dtype float32, int32, int8 or uint8; else ValueError (tensor() copies and
    converts). TypeError for what is no numpy.ndarray.
    """
    if not isinstance(array, numpy.ndarray):
        raise TypeError(f"from_numpy: expected a numpy.ndarray, got {type(array).__name__}")
    if array.dtype.name not in _DTYPES or not array.dtype.isnative:
        raise ValueError(f"from_numpy: expected dtype float32, int32, int8 or uint8, got {array.dtype!r}; "
                         "bitgate.tensor converts")
    return _core.from_buffer(array)


def zeros(shape: int | Sequence[int], dtype: Any = "float32", device: str = "cpu") -> Tensor:
    """A tensor of zeros. Raises what tensor() raises."""
    return tensor(numpy.zeros(shape, _dtype_of(dtype)), device=device)


def zeros_like(other: Tensor) -> Tensor:
    """Zeros of another tensor's shape, dtype and device."""
    return zeros(other.shape, other.dtype, other.device)


class no_grad(contextlib.ContextDecorator):  # pylint: disable=invalid-name
    """Within it (with bg.no_grad(): ..., or as a decorator) ops of this thread record nothing."""

    def __init__(self) -> None:
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(_core.set_recording(False))

    def __exit__(self, *_: object) -> None:
        _core.set_recording(self._before.pop())


def is_grad_enabled() -> bool:
    """Whether ops of this thread record."""
    return _core.is_recording()


def set_compute(compute: Compute, device: str = "cuda:0") -> None:
    """How ops compute products and convolutions on a device from now on, in this thread; backward() too.

    Args:
      compute: "float32", as at first; "bfloat16" on a GPU and on processors with AVX-512 BF16 or AMX; "tf32" on a GPU:
        inputs are rounded so, sums are float32.
      device: "cuda:<index>", or "cpu".

    What a model itself does is its own matter: Model.compute. Raises ValueError for another name, NotImplementedError
    for a device that cannot compute so, or that this build lacks.
    """
    _core.set_compute(compute, device)


def get_compute(device: str = "cuda:0") -> str:
    """What set_compute() said for the device in this thread. Raises NotImplementedError for one that is not there."""
    return _core.get_compute(device)


def describe(device: str | None = None) -> dict[str, Any]:
    """Version, build ("cpu" or "cuda"), processor, instruction sets in use, threads, libraries.

    With a device ("cuda:0") also "device" and "device_name" or, where it cannot be used, "device_error", the reason;
    that wakes a GPU up, which takes a moment.
    """
    description: dict[str, Any] = json.loads(_core.describe(device))
    return description
