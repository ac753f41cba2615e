"""A run of a race is a lecture's loop, to the last bit: whatever runs beside it, in turns, on threads or in processes."""

from __future__ import annotations

import math
import multiprocessing
import random
import sys
import threading
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.optim import SGD, lr_scheduler

import cnnwidgets as cw
from cnnwidgets.methods import History, Race, Task, early_stopping, race, task
from cnnwidgets.net import Cancelled
from cnnwidgets.numbers import number
from tests.methods.learning import Net, judged, lecture, loader, net, others, record
from tests.methods.test_histories import bits
from tests.net.networks import CancelAt

RUNS = sys.modules["cnnwidgets.methods.race_runs"]
SPECS = [
    {"kind": "step", "lr": 0.5, "step_size": 2, "gamma": 0.1},
    {"kind": "restarts", "lr": 0.3, "T_0": 2},
    {"kind": "plateau", "lr": 0.5, "patience": 0},
    {"kind": "onecycle", "lr": 0.5, "optimizer": "Adam"},
]
SEEDS = (0, 1)


def own(**options) -> Task:
    return Task(Net, loader(**options), others())


def all_bits(found: Race) -> list[dict]:
    return [bits(history) for history in found.histories]


def weights_of(found: Race) -> list[dict]:
    return [
        {epoch: {name: w.numpy().tobytes() for name, w in each.items()} for epoch, each in one.weights.by_epoch.items()}
        for one in found.histories
    ]


@pytest.fixture(scope="module")
def whole() -> Race:
    return race(own(), SPECS, steps=5, seeds=SEEDS)


# a run


@pytest.mark.parametrize("unit", ["epoch", "batch"])
@pytest.mark.parametrize("model", [net(), Net])
@pytest.mark.parametrize("generator", [False, True])
def test_a_run_is_a_lectures_loop_to_the_last_bit(unit, model, generator):
    options = {"generator": torch.Generator()} if generator else {}
    spec = {"kind": "step", "lr": 0.5, "step_size": 2, "gamma": 0.1, "momentum": 0.8, "weight_decay": 0.01}
    (found,) = race(Task(model, loader(**options), others()), [spec], steps=5, unit=unit, seeds=[3]).histories

    torch.manual_seed(3)
    mine = Net() if model is Net else net()
    batches = loader(generator=torch.Generator().manual_seed(3)) if generator else loader()
    optimizer = SGD(mine.parameters(), lr=0.5, momentum=0.8, weight_decay=0.01)
    scheduler = lr_scheduler.StepLR(optimizer, 2, 0.1)
    log, ends, validations = [], [], []
    for _ in range(5 if unit == "epoch" else 2):
        for batch in batches:
            log += lecture(mine, [batch], optimizer, scheduler if unit == "batch" else None)
            if unit == "batch" and len(log) == 5:
                break
        ends.append(len(log))
        validations.append(judged(mine, others()))
        if unit == "epoch":
            scheduler.step()
    assert found.loss.tolist() == [step[0] for step in log]
    assert found.accuracy.tolist() == [step[1] for step in log]
    assert found.lr.tolist() == [step[2][0] for step in log]
    assert found.ends.tolist() == ends == ([3, 6, 9, 12, 15] if unit == "epoch" else [3, 5])
    assert list(zip(found.validation_loss, found.validation_accuracy, strict=True)) == validations
    assert (found.seed, found.spec, found.stopped) == (3, spec, "")


def test_a_plateau_sees_the_validation_loss(whole):
    for history in whole.of("reduce on plateau 0.5 patience=0"):
        optimizer = SGD([torch.zeros(1)], lr=0.5)
        scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
        for epoch, loss in enumerate(history.validation_loss):
            assert history.lr[3 * epoch : 3 * epoch + 3].tolist() == [optimizer.param_groups[0]["lr"]] * 3
            scheduler.step(loss)


def test_a_run_that_counts_batches_lets_a_plateau_see_every_epoch():
    (found,) = race(
        own(), [{"kind": "plateau", "lr": 1.0, "patience": 0, "threshold": 0.5}], steps=8, unit="batch"
    ).histories
    assert found.ends.tolist() == [3, 6, 8]
    np.testing.assert_allclose(found.lr, [1.0] * 6 + [0.1] * 2)


@pytest.mark.parametrize("more", [{"pct_start": 1.0}, {"pct_start": 0.55, "three_phase": True}])
def test_after_the_last_batch_a_cycle_is_not_stepped_over_its_end(more):
    (found,) = race(own(), [{"kind": "onecycle", "lr": 0.1, **more}], steps=10, unit="batch").histories
    assert len(found.lr) == 10


# the same wherever


def test_the_same_alone_and_beside_others(whole):
    for k, spec in enumerate(SPECS):
        for seed in SEEDS:
            (alone,) = race(own(), [spec], steps=5, seeds=[seed]).histories
            assert bits(alone) == bits(whole.histories[2 * k + seed])
    assert len({history.loss.tobytes() for history in whole.histories}) == 8


@pytest.mark.parametrize("turn", [0.0, 0.003, math.inf])
def test_the_same_in_turns_of_any_length(whole, turn, monkeypatch):
    monkeypatch.setattr(RUNS, "TURN", turn)
    told = []
    assert all_bits(race(own(), SPECS, steps=5, seeds=SEEDS, on_update=lambda *a: told.append(a))) == all_bits(whole)
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert len(told) >= {0.0: 8 * 15, 0.003: 8 * 5, math.inf: 8 * 5}[turn]


def test_the_same_on_threads(whole):
    for workers in (1, 3):
        with ThreadPoolExecutor(workers) as executor:
            found = race(own(), SPECS, steps=5, seeds=SEEDS, executor=executor)
            assert (all_bits(found), weights_of(found)) == (all_bits(whole), weights_of(whole))


def test_the_same_in_processes(whole):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        told = []
        options = {"executor": executor, "on_update": lambda *a: told.append(a)}
        found = race(own(), SPECS, steps=5, seeds=SEEDS, **options)
        assert (all_bits(found), weights_of(found)) == (all_bits(whole), weights_of(whole))
        assert judged(found.histories[0].module("last"), others())[0] == whole.histories[0].validation_loss[-1]
        generator = torch.Generator().manual_seed(9)
        mine = Task(net(), loader(generator=generator), others())
        assert all_bits(race(mine, SPECS, steps=2, executor=executor)) == all_bits(race(mine, SPECS, steps=2))
    assert [fraction for _, fraction in told] == [k / 8 for k in range(1, 9)]
    assert all(partial.verdict is None for partial, _ in told[:3])  # of the first two, or of a half of the next


@pytest.mark.parametrize("unit", ["epoch", "batch"])
@pytest.mark.parametrize("executor", [None, ThreadPoolExecutor(2)])
def test_nothing_is_changed_by_it(unit, executor):
    generator = torch.Generator().manual_seed(4)
    model = net().eval()
    model[1].train()
    model[1].weight.grad = torch.ones(5, 4)
    mine = Task(model, loader(generator=generator), others())
    before, weights = record(model), [id(p) for p in model.parameters()]
    states = [*map(str, (generator.get_state().tolist(), torch.get_rng_state().tolist(), np.random.get_state()))]
    chance = random.getstate()
    race(mine, SPECS, steps=3, unit=unit, executor=executor)
    with pytest.raises(Cancelled):
        race(mine, SPECS, steps=3, unit=unit, cancel=CancelAt(0 if executor else 4), executor=executor)
    assert record(model) == before
    assert [id(p) for p in model.parameters()] == weights
    assert [*map(str, (generator.get_state().tolist(), torch.get_rng_state().tolist(), np.random.get_state()))] == states
    assert random.getstate() == chance


def test_the_order_of_the_batches_is_the_same_for_all_schedules():
    class Watched(torch.utils.data.TensorDataset):
        orders: list = []  # noqa: RUF012

        def __getitem__(self, i):
            self.orders.append(i)
            return super().__getitem__(i)

    data = Watched(*loader().dataset.tensors)
    mine = Task(net(), torch.utils.data.DataLoader(data, batch_size=16, shuffle=True), others())
    race(mine, [{"kind": "constant"}], steps=2)
    first = [*Watched.orders]
    Watched.orders.clear()
    race(mine, [{"kind": "cosine"}], steps=2)
    assert first == Watched.orders
    assert sorted(first[:40]) == list(range(40))
    assert first[:40] != first[40:]


# the end of a run


class Spoilt(Net):
    """Its scores are no numbers."""

    def forward(self, x):
        return super().forward(x) * math.nan


@pytest.mark.parametrize("unit", ["epoch", "batch"])
def test_a_loss_that_is_no_number_ends_a_run_at_once(unit):
    found = race(Task(Spoilt, loader(), others()), [{"kind": "constant"}, {"kind": "restarts"}], steps=4, unit=unit)
    for history in found.histories:
        assert history.stopped == "diverged at step 0 (loss NaN)"
        assert len(history.loss) == 1
        assert history.ends.tolist() == [1]
        assert np.isnan([history.loss[0], history.validation_loss[0]]).all()
    assert found.verdict is not None


def test_a_rate_that_explodes_ends_its_run_and_no_other():
    plain = Task(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 30), torch.nn.Linear(30, 2)), loader(), others())
    specs = [{"kind": "recorded", "rates": [0.1]}, {"kind": "recorded", "rates": [100.0], "momentum": 0.99}]
    calm, wild = race(plain, specs, steps=30).histories
    assert (calm.stopped, len(calm.loss)) == ("", 90)
    assert wild.stopped == f"diverged at step {len(wild.loss) - 1} (loss {number(wild.loss[-1])})"
    assert len(wild.loss) < 90
    assert not np.isfinite(wild.loss[-1])
    assert np.isfinite(wild.loss[:-1]).all()
    assert wild.ends[-1] == len(wild.loss)
    assert bits(race(plain, specs[:1], steps=30).histories[0]) == bits(calm)


@pytest.mark.parametrize("patience, delta", [(1, 0.0), (2, 0.0), (3, 0.02)])
def test_patience_ends_a_run_where_it_would_have_ended_the_recorded_one(patience, delta):
    specs = [{"kind": "constant", "lr": lr} for lr in (0.01, 0.3, 2.0)]
    full = race(own(), specs, steps=15)
    ended = 0
    for long, short in zip(
        full.histories, race(own(), specs, steps=15, patience=patience, min_delta=delta).histories, strict=True
    ):
        stop = early_stopping(long.validation_loss, patience, delta)
        assert long.early_stopping(patience, delta) == stop
        epochs = stop.epoch + 1
        assert short.validation_loss.tolist() == long.validation_loss[:epochs].tolist()
        assert short.loss.tolist() == long.loss[: 3 * epochs].tolist()
        assert short.stopped == (f"was stopped early after epoch {epochs}" if stop.stopped else "")
        ended += stop.stopped
    assert ended


# cancelling


@pytest.mark.parametrize("ask", [0, 1, 2, 3, 7, 20, 31])
def test_cancelling_at_any_moment_leaves_what_there_is(whole, ask, monkeypatch):
    monkeypatch.setattr(RUNS, "TURN", 0.0)
    with pytest.raises(Cancelled) as caught:
        race(own(), SPECS, steps=5, seeds=SEEDS, cancel=CancelAt(ask))
    part = caught.value.partial
    assert (part is None) == (ask == 0)
    if part:
        assert 0 < sum(len(history.loss) for history in part.histories) < 8 * 15
        assert not any(history.stopped for history in part.histories)
        for history, full in zip(part.histories, whole.histories, strict=True):
            assert history.loss.tolist() == full.loss[: len(history.loss)].tolist()
            assert history.ends.tolist() == full.ends[: len(history.ends)].tolist()
            assert len(history.epoch_loss) == len(history.ends)


def test_runs_on_threads_end_soon_after_nobody_waits_for_them():
    cancel, ended = threading.Event(), []

    class Endless:
        """Gives batches until somebody has cancelled, and then a few hundred more."""

        def __iter__(self):
            for _ in range(300):
                yield from loader()
                cancel.set()
            ended.append(True)

    with ThreadPoolExecutor(1) as executor, pytest.raises(Cancelled) as caught:
        race(Task(net(), Endless(), others()), SPECS, steps=50, executor=executor, cancel=cancel)
    assert caught.value.partial is None
    assert len(ended) < 5  # of 50


def test_what_an_executor_had_by_then_is_the_part(whole):
    cancel = threading.Event()
    with ThreadPoolExecutor(1) as executor, pytest.raises(Cancelled) as caught:
        race(own(), SPECS, steps=5, seeds=SEEDS, executor=executor, cancel=cancel, on_update=lambda *_: cancel.set())
    part = caught.value.partial
    assert 1 <= len(part.histories) < 8
    assert all_bits(part) == all_bits(whole)[: len(part.histories)]


def test_an_error_in_a_run_is_raised_here_and_what_has_not_begun_never_does():
    class Watched(ThreadPoolExecutor):
        futures: list[Future] = []  # noqa: RUF012

        def submit(self, *given):
            self.futures.append(super().submit(*given))
            return self.futures[-1]

    def fail(scores, labels):
        time.sleep(0.02)
        raise RuntimeError("on purpose")

    mine = Task(net(), loader(), others(), fail)
    with Watched(1) as executor, pytest.raises(RuntimeError, match="on purpose"):
        race(mine, [{"kind": "constant"}] * 50, steps=5, executor=executor)
    assert len(executor.futures) == 50
    assert any(future.cancelled() for future in executor.futures)
    with pytest.raises(RuntimeError, match="on purpose"):
        race(mine, [{"kind": "constant"}], steps=5)


# who has won


def final(name: str, seed: int, accuracy: float, spec=None) -> History:
    none = np.empty(0)
    last = np.array([accuracy] if accuracy is not None else [])
    return History(name, spec or {}, seed, none, none, none, np.arange(len(last)), last, last)


def test_the_winner_has_the_highest_mean_and_its_margin_a_spread():
    finals = {"a": (0.5, 0.75), "b": (0.75, 0.875), "c": (0.25, 1.0)}
    verdict = Race(tuple(final(n, k, v) for n, each in finals.items() for k, v in enumerate(each)), "epoch", 1).verdict
    assert verdict[:5] == ("b", "a", "accuracy", 0.8125, 0.1875)  # margins 0.25 and 0.125
    assert verdict.spread == pytest.approx(math.sqrt(2) * 0.0625)
    assert verdict.seeds == 2


def test_of_two_alike_the_first_leads_and_one_seed_proves_nothing():
    verdict = Race((final("a", 0, 0.5), final("b", 0, 0.5)), "epoch", 1).verdict
    assert verdict[:5] == ("a", "b", "accuracy", 0.5, 0.0)
    assert math.isnan(verdict.spread)


@pytest.mark.parametrize(
    "finals, said",
    [
        ({"a": [0.5], "b": [0.75]}, 'Winner: "b", 75.0%, 25.0 points ahead of "a". One seed proves nothing: try three.'),
        ({"a": [0.5], "b": [0.5]}, 'Tie at 50.0%: "a" and "b". One seed proves nothing: try three.'),
        (
            {"a": [0.5, 0.5, 0.5], "b": [0.75, 0.74, 0.76]},
            'Winner: "b", 75.0%, 25.0 ± 1.0 points ahead of "a" (3 seeds). Chance alone does not explain that (95%).',
        ),
        (
            {"a": [0.5, 0.5], "b": [0.6, 0.8]},  # t = 2 with one degree of freedom, whose 97.5 % are at 12.7
            'Winner: "b", 70.0%, 20.0 ± 14.1 points ahead of "a" (2 seeds). That may be chance.',
        ),
    ],
)
def test_a_verdict_says_by_how_much_and_whether_chance_explains_it(finals, said):
    found = Race(tuple(final(name, k, v) for name, each in finals.items() for k, v in enumerate(each)), "epoch", 1)
    assert found.verdict.sentence() == found.summary == said
    assert found.progress == f"Epoch 1 of 1. {said.replace('Winner', 'Leader')}"


def test_a_single_schedule_is_judged_by_its_last_validation():
    assert Race((final("a", 0, 0.5),), "epoch", 1).summary == '"a" reaches 50.0%.'
    assert Race((final("a", 0, math.nan),), "epoch", 1).summary == '"a" ends with a validation loss of NaN.'
    assert Race((final("a", 0, None),), "epoch", 1).summary == "Nothing is validated yet."


def test_curves_end_where_their_run_ends(whole):
    short = replace(whole.histories[0], ends=whole.histories[0].ends[:2], validation_loss=np.array([1.0, 2.0]))
    curves = Race((short, *whole.histories[1:]), "epoch", 5).curves
    assert {name: values.shape for name, values in curves.items()} == dict.fromkeys(
        ("loss", "accuracy", "validation_loss", "validation_accuracy"), (4, 2, 5)
    )
    np.testing.assert_array_equal(curves["validation_loss"][0, 0], [1, 2, math.nan, math.nan, math.nan])
    np.testing.assert_array_equal(curves["loss"][1, 1], whole.histories[3].epoch_loss)


def test_an_ensemble_has_the_snapshots_that_all_runs_have(whole):
    name = whole.names[1]
    singles, average = whole.ensemble(name)
    runs = whole.of(name)
    np.testing.assert_array_equal(singles, np.stack([one.snapshot_accuracy for one in runs], axis=1))
    np.testing.assert_array_equal(average, [one.ensemble_accuracy[-1] for one in runs])
    fewer = replace(runs[0], snapshot_ends=runs[0].snapshot_ends[:1], snapshot_accuracy=runs[0].snapshot_accuracy[:1])
    assert Race((fewer, runs[1]), "epoch", 5).ensemble(name)[0].shape == (1, 2)
    assert whole.ensemble(whole.names[0])[0].shape == (0, 2)


@pytest.mark.parametrize("unit", ["epoch", "batch"])
def test_the_code_gives_the_accuracies_of_seed_0_under_the_names_of_the_race(unit):
    specs = [SPECS[0], SPECS[0], SPECS[2]]
    found = race(own(), specs, steps=4, unit=unit)
    space = {"own": own()}
    exec(found.code(own()).replace("cw.methods.Task(model, loader, validation_loader)  # yours", "own"), space)
    assert space["values"] == {one.name: one.validation_accuracy.tolist() for one in found.histories}
    assert len(space["values"]) == 3


def test_there_is_no_verdict_on_one_schedule_or_before_all_were_validated():
    for histories in (
        [final("a", 0, 0.5)],
        [final("a", 0, 0.5), final("b", 0, None)],
        [final("a", 0, 0.5), final("a", 1, 0.5), final("b", 0, 0.75)],
        [final("a", 0, 0.5), final("a", 1, 0.5), final("b", 0, 0.75), final("b", 2, 0.75)],
        [],
    ):
        assert Race(tuple(histories), "epoch", 1).verdict is None


def test_schedules_of_the_same_name_are_told_apart():
    same = {"kind": "constant", "lr": 0.1}
    specs = [same, same, {**same, "name": "constant 0.1 (2)"}, {**same, "name": "mine"}, same]
    found = race(own(), specs, steps=1, seeds=SEEDS)
    assert len(found.names) == len(set(found.names)) == 5
    assert found.names[:2] == ["constant 0.1", "constant 0.1 (2)"]
    assert found.names[3] == "mine"
    assert [len(found.of(name)) for name in found.names] == [2] * 5
    assert [history.seed for history in found.of("mine")] == [0, 1]


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_race_that_was_run_comes_back_from_a_file(whole, tmp_path, suffix):
    strange = replace(whole.histories[0], spec={**SPECS[0], "lr": 0.5}, loss=np.array([math.nan, math.inf]))
    kept = Race((*whole.histories, strange), whole.unit, whole.steps)
    kept.save(tmp_path / f"a{suffix}")
    again = Race.load(tmp_path / f"a{suffix}")
    assert all_bits(again) == all_bits(kept)
    assert whole.verdict == Race(again.histories[:-1], again.unit, again.steps).verdict


def test_numbers_of_numpy_in_a_spec_do_not_keep_a_race_from_a_file(tmp_path):
    spec = {"kind": "multistep", "milestones": np.array([1, 2]), "lr": np.float32(0.5)}
    found = race(own(), [spec], steps=np.int64(2), seeds=np.arange(2))
    found.save(tmp_path / "a.json")
    assert Race.load(tmp_path / "a.json").histories[1].spec == {"kind": "multistep", "milestones": [1, 2], "lr": 0.5}


def test_on_digits_lenet5_learns_under_a_cosine():
    found = race(task("digits"), [{"kind": "cosine", "lr": 0.05}, {"kind": "constant", "lr": 1e-6}], steps=4)
    assert found.verdict.winner == "cosine 0.05"
    assert found.verdict.mean > 0.7
    assert found.verdict.margin > 0.5
    assert [len(history.loss) for history in found.histories] == [4 * 21] * 2


# what is given


@pytest.mark.parametrize(
    "specs, options, error, sentence",
    [
        ([], {}, ValueError, "there is no schedule to train with"),
        ([{"kind": "setp"}], {}, ValueError, "no kind of schedule 'setp'.* Did you mean 'step'"),
        ([{"kind": "step"}, {"kind": "step", "lr": "0.1"}], {}, ValueError, "lr is '0.1'; expected a number"),
        (["step"], {}, TypeError, "a schedule is a str; expected a dict with a kind, or a scheduler"),
        ([{"kind": "step", "size": 3}], {}, TypeError, "step has no parameter 'size'"),
        ([{"kind": "onecycle", "total_steps": 3}], {}, ValueError, "one cycle of 3 steps ends before the 5 steps"),
        ([{"kind": "onecycle", "pct_start": 0.2}], {}, ValueError, "torch does not accept this schedule"),
        ([{"kind": "step"}], {"unit": "step"}, ValueError, "unit is 'step'; expected 'epoch' or 'batch'"),
        ([{"kind": "step"}], {"seeds": ()}, ValueError, r"seeds is \(\); expected one or more whole numbers"),
        ([{"kind": "step"}], {"seeds": 3}, ValueError, "seeds is 3; expected one or more whole numbers"),
        ([{"kind": "step"}], {"seeds": [-1]}, ValueError, r"seeds is \[-1\]; expected one or more whole numbers"),
        ([{"kind": "step"}], {"seeds": [0.5]}, ValueError, r"seeds is \[0.5\]; expected one or more whole numbers"),
        ([{"kind": "step"}], {"seeds": "01"}, ValueError, "seeds is '01'; expected one or more whole numbers"),
        ([{"kind": "step"}], {"steps": 0}, ValueError, "steps is 0; expected a whole number of at least 1"),
        ([{"kind": "step"}], {"steps": 2.0}, ValueError, "steps is 2.0; expected a whole number"),
        ([{"kind": "step"}], {"patience": 0}, ValueError, "patience is 0; expected a whole number of at least 1"),
        ([{"kind": "step"}], {"patience": 2, "min_delta": -1}, ValueError, "min_delta is -1; expected a number"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_trained(specs, options, error, sentence):
    def never(scores, labels):
        raise AssertionError("trained")

    with pytest.raises(error, match=sentence):
        race(Task(net(), loader(), others(), never), specs, **{"steps": 5, **options})


@pytest.mark.parametrize("unit", ["epoch", "batch"])
def test_loaders_that_give_nothing_are_said(unit):
    for train, validation, sentence in (
        (iter([]), others(), "the training loader gives no batch in epoch 0"),
        (iter([*loader()]), others(), "the training loader gives no batch in epoch 1"),
        (loader(), iter([]), "there is nothing to evaluate on: the loader is empty"),
    ):
        with pytest.raises(ValueError, match=sentence):
            race(Task(net(), train, validation), [{"kind": "constant"}], steps=20, unit=unit)


# weights, and going on


def test_a_run_gives_the_networks_of_its_best_and_its_last_epoch(whole):
    for history in whole.histories:
        for epoch, k in (("best", history.best_epoch - 1), ("last", 4)):
            module = history.module(epoch)
            assert not module.training
            assert judged(module, others()) == (history.validation_loss[k], history.validation_accuracy[k])
        assert history.module(5) is not history.module("last")
    assert any(history.best_epoch < 5 for history in whole.histories)


def test_weights_that_were_not_kept_are_told(whole, tmp_path):
    whole.save(tmp_path / "a.json")
    with pytest.raises(ValueError, match=r"there are no weights of 'step decay 0.5 .*: a file holds curves alone"):
        Race.load(tmp_path / "a.json").histories[0].module()
    history = whole.histories[0]
    gone = next(k for k in range(1, 6) if k not in history.weights.by_epoch)
    with pytest.raises(ValueError, match=f"epoch is {gone}; expected 'best', 'last' or a number whose weights were kept"):
        history.module(gone)
    with pytest.raises(ValueError, match="epoch is 'beste'"):
        history.module("beste")


def test_a_run_gives_its_network_bound_with_what_the_data_know():
    net = race(task("digits"), [{"kind": "constant", "lr": 0.02}], steps=1, unit="batch").histories[0].bound()
    picture = cw.samples.digits().picture(3)
    torch.testing.assert_close(net.prepare(picture)[0], cw.samples.digits()[3][0])
    assert net.classes == tuple("0123456789")
    assert race(own(), SPECS[:1], steps=1).histories[0].bound().module[1].weight.shape == (5, 4)


class Killed(Exception):
    pass


@pytest.mark.parametrize("unit, steps, stop", [("epoch", 6, 4), ("epoch", 6, 17), ("batch", 16, 11)])
def test_a_killed_race_goes_on_as_if_it_had_not_been(unit, steps, stop, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["cnnwidgets.methods.run_file"], "PAUSE", 0.0)
    specs = [*SPECS, {"lr": 0.1, "optimizer": "RMSprop", "kind": "cyclic", "momentum": 0.8}]
    options = {"steps": steps, "unit": unit, "patience": 4}
    uninterrupted = race(own(generator=torch.Generator()), specs, **options)
    steps_left = [stop]

    def killed(scores, labels):
        if scores.requires_grad:
            steps_left[0] -= 1
            if steps_left[0] < 0:
                raise Killed
        return torch.nn.functional.cross_entropy(scores, labels)

    def begun(criterion) -> Task:
        return Task(Net, loader(generator=torch.Generator()), others(), criterion)

    for _ in range(3):
        steps_left[0] = stop
        with pytest.raises(Killed):
            race(begun(killed), specs, **options, checkpoint=tmp_path / "race")
    again = race(begun(torch.nn.functional.cross_entropy), specs, **options, checkpoint=tmp_path / "race")
    assert all_bits(again) == all_bits(uninterrupted)
    assert weights_of(again) == weights_of(uninterrupted)
    steps_left[0] = 0
    over = race(begun(killed), specs, **options, checkpoint=tmp_path / "race")  # trains nothing
    assert all_bits(over) == all_bits(uninterrupted)


def test_a_file_of_another_run_or_none_is_refused(tmp_path):
    race(own(), SPECS[:1], steps=1, checkpoint=tmp_path)
    with pytest.raises(ValueError, match="is of another run, with another network, spec, seed or budget"):
        race(own(), SPECS[:1], steps=2, checkpoint=tmp_path)
    with pytest.raises(ValueError, match="is of another run"):
        race(Task(net(5), loader(), others()), SPECS[:1], steps=1, checkpoint=tmp_path)
    (tmp_path / "run-0-seed-0.pt").write_bytes(b"x")
    with pytest.raises(ValueError, match="is not a readable checkpoint of a run"):
        race(own(), SPECS[:1], steps=1, checkpoint=tmp_path)


def test_two_races_are_compared_side_by_side(whole):
    other = race(own(), SPECS[:1], steps=2)
    both = whole.beside(other)
    assert both.names == [*whole.names, f"{whole.names[0]} (2)"]
    assert bits(both.histories[-1])["loss"] == bits(other.histories[0])["loss"]
    assert (both.steps, both.unit) == (5, "epoch")
    with pytest.raises(ValueError, match="this race counts by epoch, the other one by batch; expected the same unit"):
        whole.beside(race(own(), SPECS[:1], steps=2, unit="batch"))
