"""TrainingRace: its curves are the method's, its code gives them again, and a race can be shown without training."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import cnnwidgets as cw
from cnnwidgets.net import Cancelled
from cnnwidgets.numbers import percent
from tests.base.tiny import PATIENCE, control, is_shown

SPECS = [{"kind": "constant", "lr": 0.1}, {"kind": "restarts", "lr": 0.1, "T_0": 2}]


def data(count=32, seed=0, shuffle=False):
    draw = torch.Generator().manual_seed(seed)
    pictures = torch.randn(count, 1, 4, 4, generator=draw)
    return DataLoader(TensorDataset(pictures, (pictures.mean((1, 2, 3)) > 0).long()), 8, shuffle=shuffle)


def network():
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2))


@pytest.fixture
def panel():
    return cw.TrainingRace(specs=SPECS, steps=4, task=network, loader=data(shuffle=True), validation_loader=data(seed=1))


def curve(panel, number):
    """The y values that have been sent of a curve."""
    return np.frombuffer(panel.chart.appended[str(number)]).reshape(-1, 2)[:, 1]


def test_the_chart_grows_to_the_method_s_curves(panel):
    found = panel.result
    task = cw.methods.Task(network, data(shuffle=True), data(seed=1))
    again = cw.methods.race(task, SPECS, steps=4)
    for one, other in zip(found.histories, again.histories, strict=True):
        np.testing.assert_array_equal(one.loss, other.loss)
        np.testing.assert_array_equal(one.validation_accuracy, other.validation_accuracy)
    figure = json.loads(panel.chart.figure)
    assert [trace.get("name") for trace in figure["data"]][:3] == [
        "constant 0.1, training", "constant 0.1", "constant 0.1, rate",
    ]  # fmt: skip
    assert panel.data()["validation_loss"].shape == (2, 1, 4)
    lines = panel.figure().axes[0].lines
    np.testing.assert_array_equal(lines[1].get_ydata(), found.histories[0].validation_loss)


def test_the_board_has_the_winner_first_in_the_color_of_its_curve(panel):
    found = panel.result
    rows = panel.board.rows
    finals = {one.name: one.final_accuracy for one in found.histories}
    assert [row["share"] for row in rows] == sorted(finals.values(), reverse=True)
    assert rows[0]["name"] == found.verdict.winner and rows[0]["text"] == percent(max(finals.values()))
    colors = {
        trace.get("name"): trace["line"]["color"] for trace in json.loads(panel.chart.figure)["data"] if "line" in trace
    }
    assert all(row["color"] == colors[row["name"]] for row in rows)


def test_a_schedule_that_diverges_is_last_on_the_board_which_says_when():
    wild = {"name": "wild", "kind": "constant", "lr": 100.0, "momentum": 0.99, "weight_decay": 10.0}
    panel = cw.TrainingRace(network, data(), data(seed=1), specs=[wild, SPECS[0]], steps=30)
    (run,) = panel.result.of("wild")
    assert [row["name"] for row in panel.board.rows] == ["constant 0.1", "wild"]
    assert panel.board.rows[-1]["note"] == run.stopped


def test_the_axis_of_rates_has_plain_numbers_that_none_of_the_rates_leaves(panel):
    rates = np.concatenate([one.rates.ravel() for one in panel.result.histories])
    axis = json.loads(panel.chart.figure)["layout"]["yaxis4"]
    assert 10 ** axis["range"][0] < rates.min() <= rates.max() < 10 ** axis["range"][1]
    assert 1 <= len(axis["ticktext"]) <= 4
    assert [float(text) for text in axis["ticktext"]] == axis["tickvals"]


def test_the_code_gives_the_same_accuracies(panel):
    found = panel.result  # it draws from the global generators, as the code does: not at the same time
    space = {}
    code = panel.code().replace("cw.methods.Task(model, loader, validation_loader)  # yours", "task")
    space["task"] = cw.methods.Task(network, data(shuffle=True), data(seed=1))
    exec(code, space)
    assert [*space["values"].values()] == [one.validation_accuracy.tolist() for one in found.histories]


@pytest.mark.parametrize("unit", ["epoch", "batch"])
@pytest.mark.parametrize(
    "spec", [{"kind": "plateau", "patience": 0, "warmup": 1}, {"kind": "onecycle"}, {"kind": "step", "warmup": 2}]
)
def test_the_code_of_every_way_to_step_gives_the_same(unit, spec):
    panel = cw.TrainingRace(
        specs=[spec], steps=6, unit=unit, task=network, loader=data(shuffle=True), validation_loader=data(seed=1)
    )
    (found,) = panel.result.histories
    space = {"task": cw.methods.Task(network, data(shuffle=True), data(seed=1))}
    exec(panel.code().replace("cw.methods.Task(model, loader, validation_loader)  # yours", "task"), space)
    assert [*space["values"].values()] == [found.validation_accuracy.tolist()]


def test_the_snapshots_have_a_chart_of_their_own(panel):
    found = panel.result.of("cosine with restarts 0.1 (T_0 2)")[0]
    assert found.snapshot_ends.tolist() == [8, 16]
    bars = json.loads(panel.snapshots.figure)["data"][0]
    assert bars["y"] == ["snapshot 1", "snapshot 2", "average of all 2", "constant 0.1"]
    assert is_shown(panel, panel.snapshots)
    assert "2 snapshots of" in panel.status.message


def test_one_seed_is_said_to_prove_nothing_and_three_have_a_band(panel):
    assert panel.wait(PATIENCE)
    assert "One seed proves nothing" in panel.status.message
    panel.seeds = 3
    assert panel.result.verdict.seeds == 3
    assert "(3 seeds)" in panel.status.message
    assert sum(trace.get("fill") == "tonexty" for trace in json.loads(panel.chart.figure)["data"]) == 4


def test_early_stopping_ends_a_live_run_where_the_record_says():
    panel = cw.TrainingRace(
        specs=[{"kind": "constant", "lr": 3.0}],
        steps=30,
        task=network,
        loader=data(shuffle=True),
        validation_loader=data(seed=1),
    )
    whole = panel.result.histories[0]
    panel.patience = 3
    stopped = panel.result.histories[0]
    assert len(stopped.ends) == whole.early_stopping(3).epoch + 1 < 30
    np.testing.assert_array_equal(stopped.validation_loss, whole.validation_loss[: len(stopped.ends)])
    assert "was stopped early after epoch" in panel.status.message


def test_a_loss_that_is_no_number_is_said():
    panel = cw.TrainingRace(
        specs=[{"kind": "constant", "lr": 100.0}], steps=30, task=network, loader=data(), validation_loader=data(seed=1)
    )
    panel.specs = [{"kind": "constant", "lr": 100.0, "momentum": 0.99, "weight_decay": 10.0}]
    (found,) = panel.result.histories
    assert found.stopped.startswith("diverged at step")
    assert found.stopped in panel.status.message


class Waiting:
    """A loader that waits at its second epoch until it is let through."""

    def __init__(self):
        self.epochs, self.reached, self.gate = 0, threading.Event(), threading.Event()

    def __iter__(self):
        self.epochs += 1
        if self.epochs > 1:
            self.reached.set()
            assert self.gate.wait(PATIENCE)
        return iter(data())


def test_a_cancel_keeps_what_is_there():
    waiting = Waiting()
    panel = cw.TrainingRace(
        specs=[{"kind": "constant"}], steps=5, task=network, loader=waiting, validation_loader=data(seed=1)
    )
    assert waiting.reached.wait(PATIENCE)
    panel.cancel()
    waiting.gate.set()
    with pytest.raises(Cancelled):
        _ = panel.result
    assert len(panel.shown.histories[0].ends) == 1
    assert panel.status.message.startswith("Cancelled.")


@pytest.mark.parametrize("ending", ["json", "npz"])
def test_a_saved_race_is_shown_again_without_training(panel, tmp_path, ending):
    path = tmp_path / f"race.{ending}"
    panel.result.save(path)
    again = cw.TrainingRace(replay=path)
    assert again.result.names == panel.result.names
    np.testing.assert_array_equal(again.data()["loss"], panel.data()["loss"])
    assert again.status.message == panel.status.message


def test_a_race_that_is_shown_again_has_no_controls(panel):
    again = cw.TrainingRace(replay=panel.result)
    assert all(spec["absent"] for spec in again.controls.values())
    assert not all(spec["absent"] for spec in panel.controls.values())


def test_a_hand_may_ask_for_no_early_stopping_and_code_for_more_than_its_field_offers(panel):
    assert (control(panel, "patience")["none"], control(panel, "patience")["max"]) == ("off", 1000)
    panel.set_state({"patience": 2})
    assert panel.patience == 2
    panel.set_state({"patience": None})
    assert panel.patience is None
    panel.patience = 2000
    assert panel.wait(PATIENCE) and panel.error is None


def test_runs_go_to_an_executor():
    with ThreadPoolExecutor(2) as executor:
        panel = cw.TrainingRace(
            specs=SPECS, steps=2, task=network, loader=data(shuffle=True), validation_loader=data(seed=1), executor=executor
        )
        there = panel.result
    here = cw.methods.race(cw.methods.Task(network, data(shuffle=True), data(seed=1)), SPECS, steps=2)
    assert [one.loss.tolist() for one in there.histories] == [one.loss.tolist() for one in here.histories]


def test_one_s_own_network_is_left_as_it_is():
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    panel = cw.TrainingRace(
        specs=[{"kind": "constant", "lr": 0.5}], steps=2, task=model, loader=data(), validation_loader=data(seed=1)
    )
    assert panel.result.histories[0].loss[-1] != panel.result.histories[0].loss[0]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert panel.task == "your own"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"specs": []}, "no schedule to train with"),
        ({"specs": SPECS, "task": network}, "needs a training loader"),
        ({"specs": SPECS, "task": network, "loader": [], "validation_loader": data()}, "loader is empty"),
        ({"specs": SPECS, "task": "cats"}, "no sample 'cats'"),
    ],
)
def test_bad_input_is_a_sentence(arguments, words):
    panel = cw.TrainingRace(steps=2, **arguments)
    with pytest.raises((TypeError, ValueError), match=words):
        _ = panel.result
    assert words in panel.status.message


def test_the_playground_trains_what_is_on_its_screen():
    panel = cw.SchedulePlayground(
        steps=3, specs=[{"kind": "plateau", "losses": [1.0] * 3}, {"kind": "cosine"}],
        task=network, loader=data(), validation_loader=data(seed=1),
    )  # fmt: skip
    race = panel.train()
    assert len(race.result.histories) == 2
    assert "losses" not in race.specs[0]  # a plateau sees the real loss
    assert race in panel.children
    panel.specs = [{"kind": "step", "lr": 0.2}]
    assert panel.train() is race
    assert race.result.names == ["step decay 0.2"]


def test_a_plateau_answers_to_the_loss_that_was_measured():
    spec = {"kind": "plateau", "lr": 0.05, "patience": 1, "factor": 0.5}
    panel = cw.TrainingRace(specs=[spec], steps=12, task=network, loader=data(shuffle=True), validation_loader=data(seed=1))
    (found,) = panel.result.histories
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.05)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    expected = []
    for loss in found.validation_loss:
        expected.append(optimizer.param_groups[0]["lr"])
        scheduler.step(loss)
    assert found.lr[found.ends - 1].tolist() == expected
    assert (np.diff(found.validation_loss) < 0).any()


def first_epoch():
    """A race of 5 steps, before its first validation."""
    none = np.empty(0)
    begun = cw.methods.History("a", SPECS[0], 0, np.full((1, 5), 0.1), np.ones(5), np.zeros(5), none.astype(int), none, none)
    return cw.methods.Race((begun,), "epoch", 3)


def test_a_race_in_its_first_epoch_has_a_still_picture_already():
    panel = cw.TrainingRace(replay=first_epoch())
    assert panel.wait(PATIENCE)
    bundle, _ = panel._repr_mimebundle_()
    assert "image/png" in bundle
    assert not is_shown(panel, panel.snapshots)


def test_a_race_in_its_first_epoch_has_the_axes_that_it_keeps():
    race = first_epoch()
    begun = cw.TrainingRace(replay=race)
    assert begun.progress(race) == "Epoch 1 of 3"
    assert begun.wait(PATIENCE)
    axes = json.loads(begun.chart.figure)["layout"]
    assert [axes[name]["range"] for name in ("xaxis", "yaxis", "yaxis2")] == [[0, 3], [0, 1.0], [0, 1]]


def test_two_schedules_with_the_same_rates_are_alike_and_neither_wins():
    specs = [{"name": name, "kind": "constant", "lr": 0.1} for name in "ab"]
    panel = cw.TrainingRace(specs=specs, steps=2, task=network, loader=data(), validation_loader=data(seed=1))
    (one, _) = panel.result.histories
    assert panel.status.message.startswith(f'Tie at {percent(one.final_accuracy)}: "a" and "b".')


def test_the_line_tells_of_the_snapshots_what_their_bars_show(panel):
    panel.seeds = 3
    assert panel.wait(PATIENCE)
    bars = json.loads(panel.snapshots.figure)["data"][0]
    assert f"together {bars['text'][2]}." in panel.status.message
    runs = panel.result.of("cosine with restarts 0.1 (T_0 2)")
    assert bars["text"][2] == percent(np.mean([one.ensemble_accuracy[-1] for one in runs]))


# what else is raced


def test_a_race_without_specs_shows_the_first_preset_and_others_are_a_choice():
    panel = cw.TrainingRace(steps=1)
    assert (panel.task, [spec["name"] for spec in panel.specs]) == (
        "digits",
        [s["name"] for s in cw.methods.RACES["initialization"].specs],
    )
    assert control(panel, "preset")["options"] == [[name, name] for name in cw.methods.RACES]
    panel.cancel()
    panel.take_value("preset", "loss")
    assert (panel.steps, panel.specs) == (8, cw.methods.RACES["loss"].specs)
    panel.cancel()


def test_a_network_of_your_own_is_offered_what_fits_it():
    panel = cw.TrainingRace(network, data(), data(seed=1), steps=1)
    assert ["depth", "depth"] not in control(panel, "preset")["options"]
    assert next(one.spec["init"]["scheme"] for one in panel.result.histories) == "zero"


def test_there_is_no_chart_of_rates_where_all_are_one():
    specs = [{"lr": 0.1, "init": "xavier"}, {"lr": 0.1, "init": "kaiming"}]
    panel = cw.TrainingRace(network, data(), data(seed=1), specs=specs, steps=2)
    assert panel.wait(PATIENCE)
    layout = json.loads(panel.chart.figure)["layout"]
    assert "yaxis2" in layout and "yaxis3" not in layout
    assert [row["name"] for row in panel.board.rows] != []
    assert len(panel.chart.appended) == 2 * 2 * 2


def test_the_leader_s_network_is_there_to_use_with_its_best_weights(panel):
    found = panel.result
    panel.use()
    assert panel.wait(PATIENCE)
    leader = max(found.histories, key=lambda one: one.final_accuracy)
    batches = data(seed=1)
    losses = [torch.nn.functional.cross_entropy(panel.trained.module(x), y) * len(y) for x, y in batches]
    assert (sum(losses) / 32).item() == pytest.approx(leader.validation_loss.min(), rel=1e-5)


def test_using_the_leader_stops_a_race_that_runs():
    begun = threading.Event()

    class Slow:
        def __iter__(self):
            yield from data()
            begun.set()

    panel = cw.TrainingRace(network, Slow(), data(seed=1), specs=[SPECS[0]], steps=1_000_000)
    assert begun.wait(PATIENCE)
    while not panel.has_weights:
        time.sleep(0.01)
    panel.use()
    with pytest.raises(Cancelled):
        panel.result  # noqa: B018
    assert panel.trained is not None


def test_losses_of_several_kinds_share_no_axis_and_only_accuracies_are_compared():
    specs = [{"lr": 0.1, "loss": "mse"}, {"lr": 0.1, "loss": "focal"}]
    panel = cw.TrainingRace(network, data(), data(seed=1), specs=specs, steps=2)
    assert panel.wait(PATIENCE)
    layout = json.loads(panel.chart.figure)["layout"]
    assert layout["yaxis"]["title"]["text"] == "accuracy"
    assert "yaxis2" not in layout
    assert len(panel.figure().axes[0].lines) >= 4
