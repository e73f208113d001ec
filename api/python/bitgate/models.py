"""The networks that come with Bitgate."""

from __future__ import annotations

from typing import Literal

from bitgate import _core
from bitgate._core import Config
from bitgate.model import Model
from bitgate.quantizers import Quantizer
from bitgate.tensors import Compute

__all__ = ["lenet5", "names", "resnet110", "resnet20", "resnet32", "resnet44", "resnet56", "vgg7", "zoo"]

Shortcut = Literal["convolution", "identity"]


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
      quantizer: BayesianBits(...), BSQ(...) or Float(); None: BayesianBits().
      seed: of initial weights, the order of images and the noise of gates [1].
      device: where it computes.
      compute: how; as Model() takes it.
    """
    return zoo("lenet5", quantizer, seed, device, compute)


def vgg7(quantizer: Quantizer | None = None, seed: int | None = None, device: str = "cpu",
         compute: Compute = "float32") -> Model:
    """VGG-7 with batch norm: 32x32 colour images in ten classes, as in the Bayesian Bits paper.

    Args as lenet5() takes them.
    """
    return zoo("vgg7", quantizer, seed, device, compute)


def resnet20(quantizer: Quantizer | None = None, seed: int | None = None, device: str = "cpu",
             compute: Compute = "float32", shortcut: Shortcut = "convolution") -> Model:
    """ResNet-20: 32x32 colour images in ten classes (He et al., arXiv 1512.03385, section 4.2).

    Args:
      quantizer, seed, device, compute: as lenet5() takes them.
      shortcut: what carries a block's input past it where the block halves the image and widens: "convolution": 1x1,
        with batch norm; "identity": every second pixel, channels of zeros.
    """
    return _resnet("resnet20", quantizer, seed, device, compute, shortcut)


def resnet32(quantizer: Quantizer | None = None, seed: int | None = None, device: str = "cpu",
             compute: Compute = "float32", shortcut: Shortcut = "convolution") -> Model:
    """ResNet-32. Args as resnet20() takes them."""
    return _resnet("resnet32", quantizer, seed, device, compute, shortcut)


def resnet44(quantizer: Quantizer | None = None, seed: int | None = None, device: str = "cpu",
             compute: Compute = "float32", shortcut: Shortcut = "convolution") -> Model:
    """ResNet-44. Args as resnet20() takes them."""
    return _resnet("resnet44", quantizer, seed, device, compute, shortcut)


def resnet56(quantizer: Quantizer | None = None, seed: int | None = None, device: str = "cpu",
             compute: Compute = "float32", shortcut: Shortcut = "convolution") -> Model:
    """ResNet-56. Args as resnet20() takes them."""
    return _resnet("resnet56", quantizer, seed, device, compute, shortcut)


def resnet110(quantizer: Quantizer | None = None, seed: int | None = None, device: str = "cpu",
              compute: Compute = "float32", shortcut: Shortcut = "convolution") -> Model:
    """ResNet-110. Args as resnet20() takes them."""
    return _resnet("resnet110", quantizer, seed, device, compute, shortcut)


def _resnet(name: str, quantizer: Quantizer | None, seed: int | None, device: str, compute: Compute,
            shortcut: Shortcut) -> Model:
    if shortcut not in ("convolution", "identity"):
        raise ValueError(f"{name}: expected 'convolution' or 'identity' for shortcut, got {shortcut!r}")
    return zoo(name if shortcut == "convolution" else f"{name}_identity", quantizer, seed, device, compute)
