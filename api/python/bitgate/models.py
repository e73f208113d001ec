"""The networks that come with Bitgate."""

from __future__ import annotations

from bitgate import _core
from bitgate._core import Config
from bitgate.model import Model
from bitgate.quantizers import Quantizer
from bitgate.tensors import Compute

__all__ = ["lenet5", "names", "zoo"]


def names() -> list[str]:
    """What zoo() takes, sorted."""
    return _core.zoo_names()


def zoo(name: str, quantizer: Quantizer | None = None, seed: int | None = None, device: str = "cpu",
        compute: Compute = "float32") -> Model:
    """A network by its name, with initial weights. Raises ValueError, listing the names there are."""
    return Model(Config.from_zoo(name), quantizer, seed=seed, device=device, compute=compute)


def lenet5(quantizer: Quantizer | None = None, seed: int | None = None, device: str = "cpu",
           compute: Compute = "float32") -> Model:
    """LeNet-5: 28x28 grey images in ten classes, as in the Bayesian Bits paper.

    Args:
      quantizer: BayesianBits(...) or Float(); None: BayesianBits().
      seed: of initial weights, the order of images and the noise of gates [1].
      device: where it computes.
      compute: how; as Model() takes it.
    """
    return zoo("lenet5", quantizer, seed, device, compute)
