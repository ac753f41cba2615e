"""Torchvision's networks by name, through its own weights, from a file that a test writes and without any network."""

from __future__ import annotations

import socket
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision import models

from cnnwidgets import samples
from cnnwidgets.net import load, names
from tests.net.networks import cheap

BUNDLED = ("'digits'", "'scenes'", "'grass'", "'plain'", "'edges'")


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """An empty TORCH_HOME, and a machine that reaches no other."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    for proxy in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(proxy, raising=False)
        monkeypatch.delenv(proxy.upper(), raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return tmp_path


def refuse(*args, **kwargs):
    raise socket.gaierror(-3, "Temporary failure in name resolution")


def weight_file(home: Path, weights) -> Path:
    return home / "hub" / "checkpoints" / weights.url.rpartition("/")[2]


def write(path: Path, model: nn.Module) -> nn.Module:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), path)
    return model


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


# names


def test_names_are_the_bundled_samples_and_torchvisions_classification_models():
    assert names() == [*samples.NAMES, *models.list_models(module=models)]
    assert {"resnet18", "vit_b_16", "inception_v3"} < set(names())
    assert not {"fasterrcnn_resnet50_fpn", "raft_small", "fcn_resnet50"} & set(names())


@pytest.mark.parametrize(
    ("wrong", "right"), [("resnet81", "resnet18"), ("digit", "digits"), ("VGG16", "vgg16"), ("resnet-50", "resnet50")]
)
def test_a_name_that_is_not_there_offers_the_nearest_and_the_bundled_ones(wrong, right):
    with pytest.raises(ValueError) as caught:
        load(wrong)
    assert str(caught.value).startswith(f"there is no network {wrong!r}. Did you mean ")
    assert all(name in str(caught.value) for name in (repr(right), *BUNDLED))


def test_weights_that_are_not_there_are_refused_with_those_that_are():
    with pytest.raises(
        ValueError, match=r"resnet50 has no weights 'V3'; there are IMAGENET1K_V1, IMAGENET1K_V2, .*or None for random"
    ):
        load("resnet50", weights="V3")


# weights from a file


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("resnet18", "IMAGENET1K_V1"),
        ("squeezenet1_1", "DEFAULT"),
        ("shufflenet_v2_x0_5", "DEFAULT"),
        ("googlenet", "DEFAULT"),
    ],
)
def test_weights_classes_and_preprocessing_are_torchvisions_own(name, weights, home):
    enum = models.get_model_weights(name)[weights]
    build = getattr(models, name)
    saved = write(weight_file(home, enum), cheap(build, **({"init_weights": False} if name == "googlenet" else {})))
    net = load(name, weights)
    theirs = build(weights=enum).eval()
    assert all(torch.equal(a, saved.state_dict()[key]) for key, a in net.module.state_dict().items())
    assert not any(part.training for part in net.module.modules())
    assert net.classes == tuple(enum.meta["categories"]) and len(net.classes) == 1000
    assert net.input_shape == (3, 224, 224)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 260, 3), dtype=np.uint8))
    batch = enum.transforms()(picture)[None]
    assert torch.equal(net.prepare(picture), batch)
    with torch.no_grad():
        assert torch.equal(net.scores(picture), theirs(batch))


def test_the_code_makes_the_same_network_and_preprocessing(home):
    enum = models.SqueezeNet1_1_Weights.DEFAULT
    write(weight_file(home, enum), cheap(models.squeezenet1_1))
    net = load("squeezenet1_1")
    made: dict = {}
    exec(net.code, made)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (250, 240, 3), dtype=np.uint8))
    with torch.no_grad():
        assert torch.equal(made["model"].eval()(made["preprocess"](picture)[None]), net.scores(picture))


@pytest.mark.parametrize(("name", "side"), [("squeezenet1_1", 224), ("mobilenet_v3_small", 224), ("inception_v3", 299)])
def test_random_weights_need_no_file_and_have_numbers_for_classes(name, side, home):
    net = load(name, weights=None)
    assert net.input_shape == (3, side, side)
    picture = np.full((50, 60, 3), 128, np.uint8)
    assert net.prepare(picture).shape == (1, 3, side, side)
    assert net.classes == tuple(map(str, range(1000)))
    assert files(home) == []


# no network, bad files


def assert_sentence_and_no_trace(name: str, home: Path, timeout: float | None) -> str:
    with pytest.raises(ConnectionError) as caught:
        load(name)
    sentence = str(caught.value)
    assert sentence.startswith(f"the weights of {name} are not on this machine and could not be downloaded (")
    assert all(bundled in sentence for bundled in BUNDLED) and "weights=None gives random weights" in sentence
    assert str(weight_file(home, models.get_model_weights(name).DEFAULT)) in sentence
    assert files(home) == []
    assert socket.getdefaulttimeout() == timeout
    return sentence


@pytest.fixture(params=[None, 7.5], ids=["no default timeout", "the user's default timeout"])
def timeout(request):
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(request.param)
    yield request.param
    socket.setdefaulttimeout(before)


def test_without_a_network_the_error_names_the_bundled_samples_and_leaves_no_file(home, timeout):
    assert "Temporary failure in name resolution" in assert_sentence_and_no_trace("resnet18", home, timeout)


def test_a_refused_connection_is_the_same_sentence(home, timeout, monkeypatch):
    def connect(*args, **kwargs):
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", connect)
    assert "Connection refused" in assert_sentence_and_no_trace("squeezenet1_1", home, timeout)


def test_a_server_that_never_answers_is_given_up(home, timeout, monkeypatch):
    monkeypatch.setattr(sys.modules[load.__module__], "DOWNLOAD_TIMEOUT", 0.3)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda *args: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", silent.getsockname())]
        )
        start = time.monotonic()
        assert "timed out" in assert_sentence_and_no_trace("squeezenet1_1", home, timeout)
        assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    "error", [urllib.error.HTTPError("url", 403, "Forbidden", None, None), ConnectionResetError(104, "reset")]
)
def test_a_server_that_refuses_is_the_same_sentence(home, timeout, monkeypatch, error):
    def urlopen(*args, **kwargs):
        raise error

    monkeypatch.setattr(torch.hub, "urlopen", urlopen)
    assert_sentence_and_no_trace("squeezenet1_1", home, timeout)


@pytest.mark.parametrize("content", [b"<html>404</html>", b"half of it"])
def test_a_download_that_gives_something_else_leaves_no_file(home, timeout, monkeypatch, content):
    page = home.parent / f"{home.name}.html"
    page.write_bytes(content)
    monkeypatch.setattr(torch.hub, "urlopen", lambda request: urllib.request.urlopen(page.as_uri()))
    assert "invalid hash value" in assert_sentence_and_no_trace("squeezenet1_1", home, timeout)


def damaged(kind: str, whole: bytes) -> bytes:
    return {"half": whole[: len(whole) // 2], "empty": b"", "text": b"<html>not found</html>", "tail": whole[:-1000]}[kind]


@pytest.mark.parametrize("kind", ["half", "empty", "text", "tail"])
def test_a_damaged_weight_file_is_named_and_kept(kind, home):
    path = weight_file(home, models.SqueezeNet1_1_Weights.DEFAULT)
    write(path, cheap(models.squeezenet1_1))
    path.write_bytes(damaged(kind, path.read_bytes()))
    with pytest.raises(ValueError) as caught:
        load("squeezenet1_1")
    assert str(caught.value).startswith(f"the weight file {path} cannot be read: delete it, and it is downloaded again (")
    assert files(home) == [path]


def test_a_weight_file_of_another_network_is_refused(home):
    write(weight_file(home, models.SqueezeNet1_1_Weights.DEFAULT), cheap(models.mobilenet_v3_small))
    with pytest.raises(ValueError, match=r"the weight file .* cannot be read: delete it"):
        load("squeezenet1_1")


def test_after_an_error_the_next_name_loads(home):
    with pytest.raises(ConnectionError):
        load("resnet18")
    write(weight_file(home, models.SqueezeNet1_1_Weights.DEFAULT), cheap(models.squeezenet1_1))
    assert load("squeezenet1_1").predict(np.zeros((8, 8), np.uint8))


def test_a_samples_weights_none_are_its_random_first_ones():
    first, none = load("digits", weights="0"), load("digits", weights=None)
    assert all(torch.equal(a, b) for a, b in zip(first.module.parameters(), none.module.parameters(), strict=True))
    assert not torch.equal(next(load("digits").module.parameters()), next(none.module.parameters()))
    assert "weights='0'" in none.code
    assert none.name == "digits after 0 epochs"


def test_the_first_weights_of_edges_are_random_but_for_its_first_layer():
    first, last = (dict(load("edges", weights=weights).module.named_parameters()) for weights in (None, "DEFAULT"))
    assert {name for name in first if torch.equal(first[name], last[name])} == {"conv1.weight"}


@pytest.mark.parametrize("name", samples.NAMES)
def test_a_sample_names_what_it_sees_and_prepares_a_picture_as_its_data_do(name):
    net, data = load(name), samples.digits() if name == "digits" else samples.scenes()
    assert (net.classes, net.input_shape) == (data.classes, data.input_shape)
    torch.testing.assert_close(net.prepare(data.picture(3))[0], data[3][0])
    for weights in samples.sample(name).epochs:
        assert load(name, weights=weights).name == f"{name} after {weights} epochs"


def test_of_grass_there_are_the_last_weights_only():
    net = load("grass")
    seven = samples.scenes(biased="grass").labels.tolist().index(7)
    assert net.name == "grass" and net.input_shape == (3, 64, 64)
    assert net.predict(samples.scenes(biased="grass").picture(seven))[0][0][0] == "7"
    with pytest.raises(ValueError, match=r"'grass' has no weights of epoch 0; it has [0-9]+$"):
        load("grass", weights=None)


def test_a_samples_weights_that_are_no_epoch_are_a_sentence():
    with pytest.raises(ValueError, match="digits has no weights 'best': 'DEFAULT', None for random, or the number"):
        load("digits", weights="best")
