"""A monitor's checkpoints are the weights as the loop had them; they are evenly spaced, few, and read again to the bit."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from torch.optim import SGD

from cnnwidgets.methods import checkpoint_folder, monitor
from cnnwidgets.methods.checkpoint_folder import KIND, MOST, CheckpointWriter, checkpoint_files
from tests.methods.learning import lecture, loader, net


def train(model, batches, epochs, **options):
    """Train, and keep the weights after each step by hand: {step: state dict}."""
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    kept = {0: copy.deepcopy(model.state_dict())}
    with monitor(model, batches, optimizer, **options) as m:
        for _ in range(epochs):
            model.train()
            for x, y in batches:
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
                kept[len(kept)] = copy.deepcopy(model.state_dict())
    return m, kept


def same(state, other) -> bool:
    return list(state) == list(other) and all(torch.equal(state[name], other[name]) for name in state)


@pytest.mark.parametrize(("every", "steps"), [(None, [0, 3, 6, 9]), (2, [0, 2, 4, 6, 8, 9]), (100, [0, 9])])
def test_checkpoints_are_the_weights_at_their_steps_bit_for_bit(tmp_path, every, steps):
    m, kept = train(net(), loader(), 3, checkpoints=tmp_path / "new" / "folder", checkpoint_steps=every)
    files = checkpoint_files(tmp_path / "new" / "folder")
    assert [one.step for one in files] == m.checkpoints.kept == steps
    for one in files:
        assert same({name: one.read()[name] for name in kept[one.step]}, kept[one.step])
        assert set(load_file(one.path)) == set(kept[one.step])
    names = {None: ["epoch 0", "epoch 1", "epoch 2", "epoch 3"], 100: ["epoch 0", "epoch 3"]}
    assert [one.name for one in files] == names.get(every, ["epoch 0", "step 2", "step 4", "epoch 2", "step 8", "epoch 3"])
    assert m.checkpoints.sentence.startswith(f"{len(steps)} checkpoints in ")


def test_a_training_with_checkpoints_is_the_same_to_the_last_bit(tmp_path):
    found = []
    for options in ({}, {"checkpoints": tmp_path, "checkpoint_steps": 1}):
        torch.manual_seed(5)
        model, batches = net(), loader()
        optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
        with monitor(model, batches, optimizer, **options):
            log = lecture(model, batches, optimizer)
        found.append((log, model.state_dict(), torch.get_rng_state()))
    (log, state, numbers), (other_log, other_state, other_numbers) = found
    assert log == other_log and same(state, other_state) and torch.equal(numbers, other_numbers)


@pytest.mark.parametrize("steps", [1, MOST, MOST + 1, 50, 101])
def test_they_are_evenly_spaced_with_the_first_and_the_last_and_never_more(tmp_path, steps):
    writer = CheckpointWriter(net(), tmp_path, 1, None)
    writer.keep(0)
    for step in range(1, steps + 1):
        writer.step(step)
        assert len([*tmp_path.iterdir()]) == len(writer.kept) <= MOST
    writer.keep(steps)
    gaps = np.diff(writer.kept)
    assert (writer.kept[0], writer.kept[-1]) == (0, steps)
    assert len({*gaps[:-1]}) <= 1 and gaps[-1] <= gaps[0]
    assert len(writer.kept) >= min(steps + 1, MOST // 2)
    assert [one.step for one in checkpoint_files(tmp_path)] == writer.kept


def test_the_first_epoch_tells_how_long_one_is_where_nobody_has(tmp_path):
    model = net()
    optimizer = SGD(model.parameters(), lr=0.1)
    with monitor(model, iter([]), optimizer, checkpoints=tmp_path) as m:
        m.epoch()  # of which nothing can be told
        for _ in range(3):
            lecture(model, loader(), optimizer)
            m.epoch()
    assert [one.name for one in checkpoint_files(tmp_path)] == ["epoch 0", "epoch 1", "epoch 2", "epoch 3"]


def test_a_loop_that_raises_leaves_its_last_weights(tmp_path):
    model = net()
    optimizer = SGD(model.parameters(), lr=0.1)
    with pytest.raises(KeyboardInterrupt), monitor(model, loader(), optimizer, checkpoints=tmp_path):
        for step, (x, y) in enumerate(loader()):
            if step == 2:
                raise KeyboardInterrupt
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    last = checkpoint_files(tmp_path)[-1]
    assert last.step == 2 and same({name: last.read()[name] for name in model.state_dict()}, model.state_dict())


def test_a_disk_that_is_full_ends_the_checkpoints_and_not_the_training(tmp_path, monkeypatch):
    writes = []

    def full(*given):
        writes.append(given)
        if len(writes) == 2:
            raise OSError("No space left on device")
        save_file(*given)

    monkeypatch.setattr(checkpoint_folder, "save_file", full)
    with pytest.warns(UserWarning, match="no more checkpoints are kept in .*: No space left on device"):
        m, kept = train(net(), loader(), 2, checkpoints=tmp_path)
    assert len(kept) == 7 and len(writes) == 2
    assert [one.step for one in checkpoint_files(tmp_path)] == m.checkpoints.kept == [0]
    assert len([*tmp_path.iterdir()]) == 1  # no half of a file


def test_a_folder_of_another_training_is_left_alone(tmp_path):
    train(net(), loader(), 1, checkpoints=tmp_path)
    with pytest.raises(ValueError, match=r"holds 2 checkpoints of another training: delete them, or choose another folder"):
        monitor(net(), loader(), checkpoints=tmp_path)
    (tmp_path / "a file").write_text("mine")
    with pytest.raises(ValueError, match="is a file; expected a folder"):
        monitor(net(), loader(), checkpoints=tmp_path / "a file")
    with pytest.raises(ValueError, match="checkpoint_steps is 0; expected a whole number of at least 1"):
        monitor(net(), loader(), checkpoints=tmp_path / "new", checkpoint_steps=0)
    with pytest.raises(TypeError, match="checkpoints is 3; expected a text or a path or None"):
        monitor(net(), loader(), checkpoints=3)


def test_weights_of_other_types_and_shared_ones_are_kept(tmp_path):
    model = net()
    model[1].weight = torch.nn.Parameter(model[1].weight.detach().to(torch.bfloat16))
    model.register_buffer("turned", torch.arange(6.0).reshape(2, 3).T)  # lies otherwise in memory
    model.register_buffer("again", model.turned)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CheckpointWriter(model, tmp_path, None, None).keep(0)
    state = checkpoint_files(tmp_path)[0].read()
    assert same({name: state[name] for name in model.state_dict()}, model.state_dict())
    assert state["1.weight"].dtype == torch.bfloat16


def test_what_a_file_cannot_hold_is_said_before_the_training(tmp_path):
    model = net()
    model.register_buffer("sparse", torch.eye(3).to_sparse())
    with pytest.raises(ValueError, match=r"sparse is .*, which a checkpoint cannot hold; expected a dense tensor"):
        monitor(model, loader(), checkpoints=tmp_path)


BROKEN = {
    "broken": (lambda path: path.write_bytes(path.read_bytes()[:50]), "is not a readable checkpoint"),
    "no checkpoint": (lambda path: path.write_text("{}"), "is not a readable checkpoint"),
    "foreign": (lambda path: save_file({"weight": torch.ones(2)}, path), "was not written by cw.monitor"),
    "newer": (
        lambda path: save_file({"weight": torch.ones(2)}, path, {"kind": KIND, "version": "2", "new": "?"}),
        "is of version 2, and this cnnwidgets reads version 1: update it",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_foreign_and_newer_files_are_refused_with_a_sentence(tmp_path, what):
    train(net(), loader(), 1, checkpoints=tmp_path)
    spoil, sentence = BROKEN[what]
    spoil(sorted(tmp_path.iterdir())[-1])
    with pytest.raises(ValueError, match=f"^000000003.safetensors {sentence}"):
        checkpoint_files(tmp_path)


def test_a_folder_without_any_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        checkpoint_files(tmp_path / "none")
    with pytest.raises(ValueError, match=r"holds no checkpoints; expected what cw\.monitor"):
        checkpoint_files(tmp_path)
