"""Networks by name: the bundled samples, and torchvision's with its own weights."""

from __future__ import annotations

import contextlib
import socket
import urllib.error
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cnnwidgets import samples
from cnnwidgets.net.arguments import checked
from cnnwidgets.net.bound import BoundModel
from cnnwidgets.net.layers import nearest
from cnnwidgets.net.preprocess import Preprocess

DOWNLOAD_TIMEOUT = 20.0
"""Seconds without an answer after which a download of weights is given up."""


@checked
def load(name: str, weights: str | int | None = "DEFAULT") -> BoundModel:
    """A bound network: a bundled sample, or any torchvision classification model.

    >>> net = cw.load("scenes")
    >>> net = cw.load("resnet18", weights="IMAGENET1K_V1")

    Parameters:
        name: "digits", "scenes", "grass", "plain" or "edges" (bundled, works offline), or a name of
            ``torchvision.models.list_models(module=torchvision.models)``.
        weights: of a torchvision model the name of its weights, downloaded at the first time into ``TORCH_HOME``; None
            for random weights. Of a sample "DEFAULT", None for its random first weights, or the number of an epoch along
            its training; "grass" has its last weights only, and the first layer of "edges" is the same at every epoch.

    Raises:
        ValueError: there is no such network, or no such weights.
        ConnectionError: the weights are not on this machine and cannot be downloaded; nothing is left behind.
    """
    return _sample(name, weights) if name in samples.NAMES else _torchvision(name, weights)


def names() -> list[str]:
    """Every name that :func:`load` takes, the bundled samples first."""
    from torchvision import models

    return [*samples.NAMES, *models.list_models(module=models)]


def _sample(name: str, weights: str | int | None) -> BoundModel:
    if weights not in ("DEFAULT", None) and not str(weights).isdigit():
        raise ValueError(f"{name} has no weights {weights!r}: 'DEFAULT', None for random, or the number of an epoch")
    epoch = None if weights == "DEFAULT" else int(weights or 0)
    sample = samples.sample(name, epoch)
    return BoundModel(
        sample.module,
        classes=sample.classes,
        preprocess=Preprocess(sample.input_shape, sample.mean, sample.std),
        input_shape=sample.input_shape,
        name=name if epoch is None else f"{name} after {epoch} epochs",
        sample=name,
        code=f"import cnnwidgets as cw\n\nnet = cw.load({name!r}{'' if epoch is None else f', weights={str(epoch)!r}'})\n"
        "model, preprocess = net.module, net.preprocess",
    )


def _torchvision(name: str, weights: str | int | None) -> BoundModel:
    from torchvision import models

    if name not in models.list_models(module=models):
        raise ValueError(
            f"there is no network {name!r}.{nearest(name, names())} Bundled are {', '.join(map(repr, samples.NAMES))}."
        )
    choices = models.get_model_weights(name)
    if weights is not None and weights not in (*choices.__members__, "DEFAULT"):
        raise ValueError(
            f"{name} has no weights {weights!r}; there are {', '.join(choices.__members__)}, or None for random"
        )
    chosen = None if weights is None else choices[str(weights)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # googlenet's and inception_v3's, on their initial weights
        with _download(name, chosen) if chosen else contextlib.nullcontext():
            module = models.get_model(name, weights=chosen).eval()
    transforms = (chosen or choices.DEFAULT).transforms()
    crop = transforms.crop_size[0] if chosen else getattr(module, "image_size", transforms.crop_size[0])
    resize = transforms.resize_size[0] if chosen else crop
    return BoundModel(
        module,
        classes=chosen.meta["categories"] if chosen else None,
        preprocess=transforms if chosen else Preprocess((3, crop, crop), transforms.mean, transforms.std, resize),
        input_shape=(3, crop, crop),
        name=name,
        code=_code(name, chosen),
    )


def _code(name: str, chosen: Any) -> str:
    """The lines that make the model; random weights cannot be made again, so they are marked as the user's."""
    if chosen is None:
        return f"import torchvision\n\nmodel = torchvision.models.{name}()  # random weights: put in yours\npreprocess = ..."
    return (
        "import torchvision\n\n"
        f"weights = torchvision.models.get_model_weights({name!r}).{chosen.name}\n"
        f"model, preprocess = torchvision.models.{name}(weights=weights), weights.transforms()"
    )


@contextlib.contextmanager
def _download(name: str, weights: Any) -> Iterator[None]:
    """Make a missing or damaged weight file a sentence, and a silent network a time-out."""
    import torch

    file = Path(torch.hub.get_dir(), "checkpoints", weights.url.rpartition("/")[2])
    offline = (
        f"the weights of {name} are not on this machine and could not be downloaded ({{}}). "
        f"Bundled with cnnwidgets are {', '.join(map(repr, samples.NAMES))}; weights=None gives random weights. "
        f"Elsewhere downloaded, the file belongs at {file}"
    )
    was_there, timeout = file.exists(), socket.getdefaulttimeout()
    try:
        socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)
        yield
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise ConnectionError(offline.format(getattr(error, "reason", error))) from error
    except Exception as error:
        if not was_there:
            raise ConnectionError(offline.format(error)) from error
        raise ValueError(
            f"the weight file {file} cannot be read: delete it, and it is downloaded again ({error})"
        ) from error
    finally:
        socket.setdefaulttimeout(timeout)
