"""Computations off the cell's thread: in order within a panel, beside each other among panels, and never a deadlock."""

from __future__ import annotations

import os
import threading
import time

import numpy as np
import pytest
import torch

from cnnwidgets.base import pool
from cnnwidgets.base.jobs import LOCK, POOL, Job, Line
from tests.base.tiny import PATIENCE, Doubler

# one panel beside another


def test_a_panel_computes_while_others_stand_still():
    slow = [Doubler() for _ in range(6)]
    for one in slow:
        one.wait()
        one.gate.clear()
        one.number = 5
        assert one.started.wait(PATIENCE)
    try:
        assert Doubler(number=7).result == 14
    finally:
        for one in slow:
            one.gate.set()
    assert [one.result for one in slow] == [10] * 6


def test_the_jobs_of_a_panel_never_run_at_once():
    inside, most = [], []

    class Counted(Doubler):
        def compute(self, state, job):
            inside.append(job)
            most.append(len(inside))
            time.sleep(0.002)
            inside.remove(job)
            return self.number

    panel = Counted(deaf=True)
    for number in range(2, 40):
        panel.number = number
        time.sleep(0.001)
    assert panel.result == 39
    assert set(most) == {1}


def test_who_drags_through_a_hundred_values_sees_the_last_and_nothing_stale():
    panel = Doubler(deaf=True)
    panel.wait()
    with panel.standing_still(2):
        for number in range(3, 103):
            panel.number = number
    assert panel.result == 204
    assert panel.begun == [1, 2, 102]
    assert panel.drawn == [2, 204]
    assert panel.status.message == "twice 102 is 204"


def test_a_job_computes_with_as_many_threads_as_the_cell():
    """Else sums would round differently in a panel and in the code that it shows."""
    before, seen = torch.get_num_threads(), []
    try:
        for threads in (2, 1, 2):
            torch.set_num_threads(threads)
            job = Job(lambda job: seen.append(torch.get_num_threads()))
            Line().put(job)
            assert job.wait(PATIENCE)
    finally:
        torch.set_num_threads(before)
    assert seen == [2, 1, 2]


def test_jobs_keep_the_threads_of_their_own_cells():
    before, both, seen = torch.get_num_threads(), threading.Barrier(2), {}

    def work(job):
        both.wait(PATIENCE)
        seen[job] = torch.get_num_threads()

    try:
        made = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            made.append(Job(work))
            Line().put(made[-1])
        assert all(job.wait(PATIENCE) for job in made)
    finally:
        torch.set_num_threads(before)
    assert [seen[job] for job in made] == [1, 2]


def test_a_thread_without_work_ends(monkeypatch):
    monkeypatch.setattr(pool, "LINGER", 0.01)
    panels = [Doubler(number=number) for number in range(5)]
    assert [panel.result for panel in panels] == [0, 2, 4, 6, 8]
    assert POOL.wait(PATIENCE)
    end = time.monotonic() + PATIENCE
    while any(thread.name == "cnnwidgets" for thread in threading.enumerate()) and time.monotonic() < end:
        time.sleep(0.01)
    assert [thread for thread in threading.enumerate() if thread.name == "cnnwidgets"] == []
    assert Doubler(number=4).result == 8  # and another one begins


def test_what_a_job_holds_is_let_go_when_it_has_ended():
    import weakref

    class Held:
        pass

    held = Held()
    gone = weakref.ref(held)
    job = Job(lambda job, held=held: None)
    Line().put(job)
    assert job.wait(PATIENCE)
    del held, job
    assert POOL.wait(PATIENCE)
    end = time.monotonic() + PATIENCE
    while gone() is not None and time.monotonic() < end:
        time.sleep(0.001)
    assert gone() is None


# beside the computation


def test_an_aside_runs_beside_the_computation_and_only_the_newest_of_a_key(panel):
    seen, gate, begun = [], threading.Event(), threading.Event()

    def work(number):
        def run(job):
            begun.set()
            assert gate.wait(PATIENCE)
            if not job.cancelled:
                seen.append(number)

        return run

    with panel.standing_still(5):
        panel.aside("look", work(0))
        assert begun.wait(PATIENCE)
        for number in (1, 2, 3):
            panel.aside("look", work(number))
        panel.aside("other", work("other"))
        gate.set()
        end = time.monotonic() + PATIENCE
        while len(seen) < 2 and time.monotonic() < end:
            time.sleep(0.001)
    assert sorted(map(str, seen)) == ["3", "other"]
    assert panel.result == 10


def test_what_an_aside_raises_shows_in_the_strip_and_the_result_stays(panel):
    panel.aside("look", lambda job: 1 / 0)
    assert POOL.wait(PATIENCE)
    assert panel.status.kind == "error"
    assert "division by zero" in panel.status.message
    assert panel.result == 2


def test_once_an_aside_works_what_it_raised_is_no_longer_said(panel):
    said = panel.status.message
    for key, slip in (("look", "no look"), ("other", "no other")):

        def fail(job, slip=slip):
            raise ValueError(slip)

        panel.aside(key, fail)
        assert POOL.wait(PATIENCE)
    assert panel.status.kind == "error" and "no other" in panel.status.message
    panel.aside("other", lambda job: None)
    assert POOL.wait(PATIENCE)
    assert panel.status.kind == "error" and "no look" in panel.status.message
    panel.aside("look", lambda job: None)
    assert POOL.wait(PATIENCE)
    assert (panel.status.kind, panel.status.message) == ("ready", said)


def test_an_aside_that_fails_after_another_was_asked_for_says_nothing(panel):
    go, begun = threading.Event(), threading.Event()

    def fail(job):
        begun.set()
        go.wait(PATIENCE)
        raise ValueError("too late")

    panel.aside("look", fail)
    assert begun.wait(PATIENCE)
    panel.aside("look", lambda job: None)
    go.set()
    assert POOL.wait(PATIENCE)
    assert panel.status.kind == "ready"


def test_an_aside_may_wait_for_the_result(panel):
    seen = []
    with panel.standing_still(5):
        panel.aside("look", lambda job: seen.append(panel.result))
    assert POOL.wait(PATIENCE)
    assert seen == [10]


def test_closing_a_panel_cancels_what_it_does_aside(panel):
    heard, begun = [], threading.Event()

    def work(job):
        begun.set()
        heard.append(job._stop.wait(PATIENCE))

    panel.aside("look", work)
    assert begun.wait(PATIENCE)
    panel.close()
    assert POOL.wait(PATIENCE)
    assert heard == [True]


# waiting where it could never end


WAITS = {
    "result": lambda panel: panel.result,
    "wait": lambda panel: panel.wait(),
    "shown": lambda panel: panel.shown,
    "data": lambda panel: panel.data(),
    "figure": lambda panel: panel.figure(),
}


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("pending", [False, True])
def test_a_reaction_that_waits_for_the_result_is_a_sentence(panel, wait, pending):
    panel.react(lambda: WAITS[wait](panel), "word")
    if pending:
        with panel.standing_still(5):
            panel.word = "two"
            assert panel.status.kind == "error"
            assert "cannot wait for the result of Doubler" in panel.status.message
        assert panel.result == 10
    else:
        panel.word = "two"
        assert panel.status.kind == "error"
        assert isinstance(panel.error, RuntimeError)
        panel.number = 3
        assert panel.result == 6


def test_a_draw_that_waits_for_its_own_result_is_a_sentence():
    class Impatient(Doubler):
        def draw(self, result):
            _ = self.result

    panel = Impatient()
    with pytest.raises(RuntimeError, match="cannot wait for the result of Impatient"):
        _ = panel.result


def test_an_observer_of_what_a_draw_sets_cannot_wait_either(panel):
    seen = []

    class Moving(Doubler):
        def draw(self, result):
            super().draw(result)
            self.place = result / 100

    moving = Moving()
    moving.wait()

    def read(change):
        with pytest.raises(RuntimeError, match="cannot wait for the result of Moving"):
            _ = moving.result
        seen.append(change.new)

    moving.observe(read, "place")
    moving.number = 4
    assert moving.result == 8
    assert seen == [0.08]


def test_who_holds_the_lock_gets_the_sentence_at_once(panel):
    with panel.standing_still(5), LOCK, pytest.raises(RuntimeError, match="cannot wait"):
        _ = panel.result
    assert panel.result == 10


@pytest.mark.parametrize("wait", WAITS)
def test_a_computation_that_reads_its_own_result_is_a_sentence(wait):
    class Selfish(Doubler):
        def compute(self, state, job):
            return WAITS[wait](self)

    panel = Selfish()
    assert panel.wait(PATIENCE)
    with pytest.raises(RuntimeError, match="a computation cannot wait for its own result"):
        _ = panel.result


def test_a_stale_computation_that_reads_the_result_is_a_sentence_too():
    raised = []

    class Selfish(Doubler):
        def compute(self, state, job):
            found = super().compute(state, job)
            if job.cancelled:
                with pytest.raises(RuntimeError, match="a computation cannot wait for its own result"):
                    _ = self.result
                raised.append(found)
            return found

    panel = Selfish(deaf=True)
    panel.wait()
    with panel.standing_still(2):
        panel.number = 7
    assert panel.result == 14
    assert raised == [4]


class Sum(Doubler):
    """Its number, and the result of another panel."""

    def __init__(self, other=None, **options):
        self.other = other
        super().__init__(**options)

    def compute(self, state, job):
        found = super().compute(state, job)
        return found + self.other.result if self.other else found


def test_a_computation_may_wait_for_another_panels_result(panel):
    with panel.standing_still(5):
        total = Sum(panel, number=3)
        assert not total.wait(0.02)
    assert total.result == 6 + 10


def test_two_computations_that_wait_for_each_other_are_a_sentence():
    one, other = Sum(), Sum()
    one.wait(), other.wait()
    one.gate.clear(), other.gate.clear()
    one.other, other.other = other, one
    one.number = other.number = 5
    one.gate.set(), other.gate.set()
    assert one.wait(PATIENCE) and other.wait(PATIENCE)
    errors = [panel.error for panel in (one, other)]
    assert any(isinstance(error, RuntimeError) for error in errors)
    assert all(error is None or "a computation cannot wait" in str(error) for error in errors)


# forks


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_panels_work_in_a_forked_child(panel):
    with panel.standing_still(5):
        child = os.fork()  # in the middle of a computation, whose thread the child does not have
        if not child:
            made = Doubler(number=4).result == 8
            panel.gate.set()
            panel.number = 6
            os._exit(0 if made and panel.result == 12 else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert panel.result == 10


def test_data_loaders_workers_start_while_panels_compute(panel):
    from torch.utils.data import DataLoader, TensorDataset

    data = TensorDataset(torch.arange(8.0))
    with panel.standing_still(5):
        found = [batch[0] for batch in DataLoader(data, batch_size=2, num_workers=2)]
    np.testing.assert_array_equal(torch.cat(found), np.arange(8.0))
    assert panel.result == 10
