"""Quantization methods and their options."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from bitgate._core import Config


def _set_method(config: Config, method: str) -> None:
    if config.get("quantizer.method") != method:
        config.set("quantizer.method", method)


@dataclasses.dataclass(frozen=True)
class BayesianBits:
    """Bayesian Bits (van Baalen et al., NeurIPS 2020, arXiv 2005.07093): gates learn bit widths and channels.

    What is None stays as the configuration has it; the values in brackets are those of a configuration that says
    nothing.

    Attributes:
      mu: weight of the gate regularizer against the cross-entropy [0.01]; more of it, fewer bits.
      stochastic_gates: draw gates from the hard-concrete distribution in training [True], or use its noise-free value.
      cost_weighting: "bops": a gate costs its bits times its layer's share of MACs ["bops"]; "constant": one.
      initial_gate: the parameter phi that open gates begin with, closed ones at its negative [6].
      initially_closed_bits: bit widths whose gates begin closed [none].
      batch_norm_statistics: where a layer's batch norm, which is folded into the quantized weight, has a training
        batch's statistics from: "float": the convolution with the float weight, differentiated too, as published;
        "detached": the same, its gradient straight through the quantized convolution; "quantized": the quantized
        convolution, the fastest ["float"].
    """

    mu: float | None = None
    stochastic_gates: bool | None = None
    cost_weighting: Literal["bops", "constant"] | None = None
    initial_gate: float | None = None
    initially_closed_bits: Sequence[int] | None = None
    batch_norm_statistics: Literal["float", "detached", "quantized"] | None = None

    def apply(self, config: Config) -> None:
        """Sets what is given. Raises ValueError for a value of the wrong kind."""
        _set_method(config, "bayesian_bits")
        for name, value in vars(self).items():
            if value is None:
                continue
            if name in ("cost_weighting", "batch_norm_statistics"):
                value = str(value).upper()
            elif name == "initially_closed_bits":
                value = [value] if isinstance(value, int) else list(value)
            config.set(f"quantizer.{name}", value)


@dataclasses.dataclass(frozen=True)
class BSQ:
    """BSQ (Yang et al., ICLR 2021, arXiv 2102.10462): bits of weights are trained, and a group lasso empties whole bit
    planes, which re-quantization (training.requantize_every, Model.requantize()) takes away.

    What is None stays as the configuration has it; the values in brackets are those of a configuration that says
    nothing.

    Attributes:
      alpha: weight of the group lasso against the cross-entropy [0.005]; more of it, fewer bits.
      initial_bits: of every weight and bias at the start, 1 to 8 [8].
      activation_bits: 1 to 16: ReLU6 from 4 bits on, PACT below; 0: not quantized [4].
    """

    alpha: float | None = None
    initial_bits: int | None = None
    activation_bits: int | None = None

    def apply(self, config: Config) -> None:
        """Sets what is given. Raises ValueError for a value of the wrong kind."""
        _set_method(config, "bsq")
        for name, value in vars(self).items():
            if value is not None:
                config.set(f"quantizer.{name}", value)


@dataclasses.dataclass(frozen=True)
class Float:
    """No quantization: the baseline that quantized networks are compared with."""

    def apply(self, config: Config) -> None:
        """Sets the method."""
        _set_method(config, "float")


Quantizer = BayesianBits | BSQ | Float
