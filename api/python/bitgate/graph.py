"""Networks of one's own, built so that they read like the network."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, Literal

import numpy

from bitgate import _core
from bitgate._core import Graph

__all__ = ["Graph", "GraphBuilder"]

Pair = int | Sequence[int]
Bits = Sequence[int] | Literal["float"] | None

_PREFIXES = {"conv2d": "conv", "linear": "fc", "max_pool": "pool", "average_pool": "pool"}


class GraphBuilder:
    """Builds a graph layer by layer. Each method returns a name to be handed to the layers that follow.

        g = bg.GraphBuilder("tiny")
        x = g.input([28, 28, 1], scale=1 / 255)
        x = g.conv2d(x, 8, kernel=5, weight_bits=[0, 2, 4, 8])
        x = g.relu(x)
        x = g.max_pool(x, 2)
        x = g.flatten(x)
        x = g.linear(x, 10, weight_bits="float")
        graph = g.build()

    Layers are named conv1, fc1, relu1, ... unless `name` says otherwise. `weight_bits` and `output_bits` say which bit
    widths a weight or a layer's output may take: some of 0 (weights: channels may be pruned), 2, 4, 8, 16, 32; "float":
    it is not quantized; None: as by default, any. One number stands for both of (height, width).

    What does not fit is a ValueError that names the node and the attribute, at the latest from build().
    """

    def __init__(self, name: str = "network") -> None:
        self._core = _core.GraphBuilder(name)
        self._names: set[str] = set()
        self._has_input = False

    def input(self, shape: Sequence[int], *, scale: float | None = None, mean: float | Sequence[float] = (),
              std: float | Sequence[float] = (), name: str = "input") -> str:
        """The network's input: one image's shape, [height, width, channels] or [features].

        Raw images x become (x * scale - mean) / std; mean and std have one value, or one for each channel.
        """
        if self._has_input:
            raise ValueError("graph: expected one input, got a second one")
        self._has_input = True
        self._names.add(name)
        return self._core.input(_integers("shape", shape), scale, _floats("mean", mean), _floats("std", std), name)

    def conv2d(self, x: str, channels: int, kernel: Pair, *, stride: Pair | None = None, padding: Pair | None = None,
               groups: int | None = None, bias: bool | None = None, name: str | None = None, weight_bits: Bits = None,
               output_bits: Bits = None) -> str:
        """A convolution to `channels` output channels. By default stride 1, no padding, one group, with a bias."""
        return self.node("conv2d", x, name=name, weight_bits=weight_bits, output_bits=output_bits, channels=channels,
                         kernel=kernel, stride=stride, padding=padding, groups=groups, bias=bias)

    def linear(self, x: str, channels: int, *, bias: bool | None = None, name: str | None = None,
               weight_bits: Bits = None, output_bits: Bits = None) -> str:
        """A fully connected layer to `channels` output features. By default with a bias."""
        return self.node("linear", x, name=name, weight_bits=weight_bits, output_bits=output_bits, channels=channels,
                         bias=bias)

    def relu(self, x: str, *, name: str | None = None, output_bits: Bits = None) -> str:
        """max(x, 0)."""
        return self.node("relu", x, name=name, output_bits=output_bits)

    def max_pool(self, x: str, kernel: Pair, *, stride: Pair | None = None, padding: Pair | None = None,
                 name: str | None = None) -> str:
        """The largest of each window. By default the stride is the kernel, without padding."""
        return self.node("max_pool", x, name=name, kernel=kernel, stride=stride, padding=padding)

    def average_pool(self, x: str, kernel: Pair, *, stride: Pair | None = None, padding: Pair | None = None,
                     name: str | None = None) -> str:
        """The mean of each window, padding left out. By default the stride is the kernel, without padding."""
        return self.node("average_pool", x, name=name, kernel=kernel, stride=stride, padding=padding)

    def flatten(self, x: str, *, name: str | None = None) -> str:
        """[height, width, channels] to [features]."""
        return self.node("flatten", x, name=name)

    def add(self, a: str, b: str, *, name: str | None = None, output_bits: Bits = None) -> str:
        """The sum of two branches of equal shape."""
        return self.node("add", [a, b], name=name, output_bits=output_bits)

    def node(self, kind: str, inputs: str | Sequence[str], *, name: str | None = None, weight_bits: Bits = None,
             output_bits: Bits = None, **attributes: Pair | bool | None) -> str:
        """A layer of any kind with its attributes by the names of graph.proto; None: not set."""
        chosen = self._free_name(_PREFIXES.get(kind, kind)) if name is None else name
        values = {key: _integers(key, value) for key, value in attributes.items() if value is not None}
        self._core.node(chosen, kind, [inputs] if isinstance(inputs, str) else list(inputs), values)
        self._names.add(chosen)
        if weight_bits is not None:
            self._core.weight_bits(_widths(weight_bits))
        if output_bits is not None:
            self._core.output_bits(_widths(output_bits))
        return chosen

    def build(self) -> Graph:
        """Checks the whole and makes a graph of it; the builder stays as it is."""
        return self._core.build()

    def _free_name(self, prefix: str) -> str:
        number = 1
        while f"{prefix}{number}" in self._names:
            number += 1
        return f"{prefix}{number}"


def _integers(name: str, values: Any) -> list[int]:
    """Of one whole number, also NumPy's, or several."""
    try:
        if isinstance(values, (bool, numpy.bool_)):
            return [int(values)]
        if numpy.ndim(values) == 0:
            return [operator.index(values)]
        return [operator.index(value) for value in values]
    except TypeError:
        raise TypeError(f"{name}: expected a whole number or a list of them, got {values!r}") from None


def _floats(name: str, values: Any) -> list[float]:
    try:
        return [float(value) for value in numpy.atleast_1d(numpy.asarray(values, dtype=numpy.float64))]
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected a number or a list of them, got {values!r}") from None


def _widths(bits: Sequence[int] | str) -> list[int] | None:
    """None: float, as the core has it."""
    if isinstance(bits, str):
        if bits == "float":
            return None
        raise ValueError(f"bits: expected a list of 0, 2, 4, 8, 16, 32, or 'float', got {bits!r}")
    if numpy.ndim(bits) == 0:
        raise ValueError(f"bits: expected a list of 0, 2, 4, 8, 16, 32, or 'float', got {bits!r}")
    return _integers("bits", bits)
