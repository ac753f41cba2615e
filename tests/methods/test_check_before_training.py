"""The list finds what was put wrong, and says of a sound network what torch itself says."""

from __future__ import annotations

import math
import threading

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from cnnwidgets.methods import check_before_training
from cnnwidgets.methods.check_before_training import LINES
from cnnwidgets.methods.diagnosis import SYMPTOMS
from cnnwidgets.net import Cancelled
from cnnwidgets.numbers import number
from tests.methods.learning import record
from tests.methods.sick import Digits, mlp, normed
from tests.net.networks import CancelAt

NAMES = ["shapes", "first loss", "gradients", "pictures", "classes", "order", "by heart", "cost"]


def loader(data=None, shuffle=True) -> DataLoader:
    return DataLoader(data or Digits("train", 256), batch_size=32, shuffle=shuffle)


def without_time(checklist) -> list:
    return [check for check in checklist.checks if check.name != "cost"]


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    return mlp()


@pytest.fixture(scope="module")
def fine(model):
    return check_before_training(model, loader())


def test_a_sound_network_is_ready(fine):
    assert [check.name for check in fine.checks] == NAMES
    assert [check.verdict for check in fine.checks] == ["fine"] * len(NAMES)
    assert fine.is_fine
    assert fine.summary.startswith("Ready to train: nothing wrong was found.\n✓ shapes: scores 32×10, labels 32.")


def test_its_figures_are_those_of_torch(fine, model):
    x, _ = Digits("train", 256)[:]
    loss = float(fine.named("first loss").figure.partition(",")[0])
    assert loss == pytest.approx(math.log(10), abs=0.3)
    assert fine.named("first loss").figure.endswith(f"guessing gives {number(math.log(10))}.")
    low, high = (number(float(value)) for value in (x.min(), x.max()))
    mean, deviation = (number(float(value), 2) for value in (x.mean(), x.std()))
    assert fine.named("pictures").figure == f"values from {low} to {high}, mean {mean}, deviation {deviation}."
    assert fine.named("gradients").figure.startswith("all 2 layers get one")
    weights = sum(each.numel() for each in model.parameters()) * 4
    kept = 32 * (256 + 48 + 48 + 10 + 10 + 3) * 4  # at most: pictures, hidden, scores, log-probabilities, labels
    memory = float(fine.named("cost").figure.partition("an epoch, ")[2].partition(" MB")[0]) * 2**20
    assert 3 * weights < memory < 3 * weights + 2 * kept


def test_the_same_seed_finds_the_same(fine, model):
    assert without_time(check_before_training(model, loader())) == without_time(fine)


def test_every_symptom_on_a_line_is_one():
    assert {name for line in LINES.values() for name in line} <= {symptom.name for symptom in SYMPTOMS}


class Shouting(nn.Sequential):
    def forward(self, x):
        return 100 * super().forward(x)


@pytest.mark.parametrize(
    "line, verdict, network, data",
    [
        ("shapes", "wrong", lambda: mlp(last=5), {}),
        ("first loss", "wrong", lambda: mlp().append(nn.Softmax(1)), {}),
        ("first loss", "doubtful", lambda: Shouting(*mlp()), {}),
        ("gradients", "doubtful", lambda: mlp(nn.Sigmoid, depth=8), {}),
        ("pictures", "wrong", mlp, {"image": lambda x: (x + 0.4) * 60}),
        ("classes", "doubtful", mlp, {"label": lambda y: torch.tensor(0 if y < 9 else 9)}),
        ("by heart", "wrong", lambda: mlp(width=1), {}),
    ],
)
def test_what_was_put_wrong_is_found(line, verdict, network, data):
    torch.manual_seed(0)
    found = check_before_training(network(), loader(Digits("train", 320, **data)))
    assert found.named(line).verdict == verdict, found.summary
    assert found.named(line).remedy
    assert found.is_fine == all(check.verdict != "wrong" for check in found.checks)


def test_sorted_data_is_found(model):
    data = Digits("train", 320)
    order = data.labels.argsort()
    data.images, data.labels = data.images[order], data.labels[order]
    assert check_before_training(model, loader(data, shuffle=False)).named("order").verdict == "wrong"


def test_several_labels_and_values_are_checked_too():
    x = torch.randn(64, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    pairs = [(image, (image.mean((1, 2)) > 0).float().repeat(3)) for image in x]
    found = check_before_training(mlp(last=3), DataLoader(pairs, batch_size=16), criterion=nn.BCEWithLogitsLoss())
    assert found.named("first loss").figure.endswith(f"guessing gives {number(math.log(2))}.")
    assert found.named("classes").verdict == "unknown"
    values = [(image, image.std(correction=0).reshape(1)) for image in x]
    found = check_before_training(mlp(last=1), DataLoader(values, batch_size=16), criterion=F.mse_loss)
    assert found.named("first loss").verdict == "fine"
    assert found.is_fine, found.summary


def test_nothing_is_changed_and_it_can_be_followed_and_cancelled():
    model = normed().eval()
    before, state = record(model), torch.get_rng_state()
    told = []
    check_before_training(model, loader(), on_update=lambda part, done: told.append((len(part.checks), done)))
    assert told == [(k + 1, (k + 1) / 8) for k in range(8)]
    with pytest.raises(Cancelled):
        check_before_training(model, loader(), cancel=CancelAt(0))
    assert record(model) == before
    assert torch.equal(torch.get_rng_state(), state)


def test_a_network_in_use_by_another_thread_is_checked_alike(fine, model):
    stop = threading.Event()

    def use():
        while not stop.is_set():
            with torch.no_grad():
                model(torch.zeros(2, 1, 16, 16))

    thread = threading.Thread(target=use)
    thread.start()
    try:
        found = check_before_training(model, loader())
    finally:
        stop.set()
        thread.join()
    assert without_time(found) == without_time(fine)


def test_what_is_wrong_is_said():
    with pytest.raises(ValueError, match="needs a training loader"):
        check_before_training(mlp())
    with pytest.raises(ValueError, match="the training loader is empty"):
        check_before_training(mlp(), [])
    with pytest.raises(ValueError, match="gives no batch"):
        check_before_training(mlp(), iter(()))


class Odd(nn.Sequential):
    """Its scores are the part of a dict called logits."""

    def forward(self, x):
        return {"logits": super().forward(x), "else": 3}


class Detached(nn.Sequential):
    def forward(self, x):
        return super().forward(x).detach()


def test_odd_outputs_are_read_or_refused_in_a_sentence():
    torch.manual_seed(0)
    assert check_before_training(Odd(*mlp()), loader()).is_fine
    found = check_before_training(Detached(*mlp()), loader())
    assert [check.name for check in found.checks] == ["shapes"]
    assert found.summary.startswith("Not ready to train: the loss has no gradient")
