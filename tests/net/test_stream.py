"""A stream gives the same numbers each time, and leaves those of everybody else as they would have been."""

from __future__ import annotations

import random
import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from cnnwidgets.net.randomness import OwnNumbers, Stream


def draw(generator: torch.Generator | None = None) -> tuple:
    return torch.rand(1).item(), np.random.rand(), random.random(), torch.rand(1, generator=generator).item()


def drawn(stream: Stream, times: int, generator: torch.Generator | None = None) -> list:
    with stream.flowing():
        return [draw(generator) for _ in range(times)]


def test_a_seed_gives_the_numbers_that_it_gives_in_a_cell():
    found = drawn(Stream(7), 2)
    torch.manual_seed(7)
    np.random.seed(7)
    random.seed(7)
    assert found == [draw(), draw()]


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_the_same_seed_gives_the_same_numbers_and_another_others(seed):
    assert drawn(Stream(seed), 3) == drawn(Stream(seed), 3)
    assert not set(drawn(Stream(seed), 3)) & set(drawn(Stream(5), 3))


def test_a_stream_goes_on_where_it_was():
    stream = Stream(3)
    assert drawn(stream, 2) + drawn(stream, 3) == drawn(Stream(3), 5)


@pytest.mark.parametrize("fails", [False, True])
def test_outside_everybody_draws_what_they_would_have_drawn(fails):
    own = torch.Generator().manual_seed(11)
    states = torch.get_rng_state(), np.random.get_state(), random.getstate(), own.get_state()
    wanted = [draw(own) for _ in range(3)]
    torch.set_rng_state(states[0])
    np.random.set_state(states[1])
    random.setstate(states[2])
    own.set_state(states[3])

    stream = Stream(0, [own])
    try:
        with stream.flowing():
            lent = [draw(own) for _ in range(4)]
            torch.manual_seed(99)
            assert not fails, "on purpose"
    except AssertionError as error:
        assert fails and "on purpose" in str(error)
    assert [draw(own) for _ in range(3)] == wanted
    assert lent == drawn(Stream(0, [own]), 4, own)
    assert not set(lent) & set(wanted)


def test_after_an_exception_a_stream_goes_on_too():
    stream = Stream(0)
    with pytest.raises(KeyError), stream.flowing():
        first = draw()
        raise KeyError
    assert [first, *drawn(stream, 1)] == drawn(Stream(0), 2)


def test_a_loader_with_a_generator_of_its_own_shuffles_by_the_stream_and_is_left_as_it_was():
    own = torch.Generator().manual_seed(5)
    loader = DataLoader(range(50), batch_size=50, shuffle=True, generator=own)
    before = own.get_state()
    orders = []
    for seed in (1, 1, 2):
        with Stream(seed, [own]).flowing():
            orders.append(next(iter(loader)).tolist())
    assert torch.equal(own.get_state(), before)
    assert orders[0] == orders[1] != orders[2]
    own.manual_seed(1)
    assert next(iter(loader)).tolist() == orders[0]


def test_a_stream_within_a_stream():
    outer, inner = Stream(1), Stream(2)
    with outer.flowing():
        first = draw()
        within = drawn(inner, 2)
        second = draw()
    assert [first, second] == drawn(Stream(1), 2)
    assert within == drawn(Stream(2), 2)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=12), st.integers(0, 1000), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_two_streams_by_turns_are_each_what_they_are_alone(turns, one, other):
    generator = torch.Generator()
    streams = {True: Stream(one, [generator]), False: Stream(other, [generator])}
    found: dict[bool, list] = {True: [], False: []}
    for which, times in turns:
        found[which] += drawn(streams[which], times, generator)
        draw(generator)
    assert found[True] == drawn(Stream(one, [generator]), len(found[True]), generator)
    assert found[False] == drawn(Stream(other, [generator]), len(found[False]), generator)


DRAWS = {
    "rand": lambda: torch.rand(5),
    "randn": lambda: torch.randn(5),
    "rand_like": lambda: torch.rand_like(torch.ones(5)),
    "randn_like": lambda: torch.randn_like(torch.ones(5)),
    "randint": lambda: torch.randint(0, 99, (5,)),
    "randint from": lambda: torch.randint(7, 99, (5,)),
    "randint_like": lambda: torch.randint_like(torch.ones(5), 99),
    "randperm": lambda: torch.randperm(9),
    "normal": lambda: torch.normal(torch.zeros(5), 2.0),
    "bernoulli": lambda: torch.bernoulli(torch.full((9,), 0.5)),
    "multinomial": lambda: torch.multinomial(torch.ones(9), 5),
    "poisson": lambda: torch.poisson(torch.full((9,), 5.0)),
    "in place": lambda: [torch.empty(5).uniform_(), torch.empty(5).exponential_(), torch.empty(5).cauchy_()],
    "dropout": lambda: torch.nn.functional.dropout(torch.ones(20)),
    "dropout2d": lambda: torch.nn.functional.dropout2d(torch.ones(2, 9, 3, 3)),
    "alpha_dropout": lambda: torch.nn.functional.alpha_dropout(torch.ones(20), training=True),
    "rrelu": lambda: torch.nn.functional.rrelu(-torch.ones(20), training=True),
    "attention": lambda: torch.nn.functional.scaled_dot_product_attention(*torch.ones(3, 1, 2, 5, 4), dropout_p=0.5),
    "fractional pooling": lambda: torch.nn.functional.fractional_max_pool2d(torch.arange(81.0).view(1, 1, 9, 9), 2, 4),
    "LSTM": lambda: torch.nn.LSTM(3, 3, 2, dropout=0.5)(torch.ones(4, 1, 3))[0],
    "a layer's weights": lambda: torch.nn.Conv2d(2, 3, 3).weight,
    "dropout in inference mode": lambda: torch.inference_mode()(torch.nn.functional.dropout)(torch.ones(20)),
}


@pytest.mark.parametrize("name", DRAWS)
def test_own_numbers_are_those_of_the_seed_and_the_global_ones_stay(name):
    numbers, state = OwnNumbers(3), torch.get_rng_state()
    with numbers:
        found = [DRAWS[name]() for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(3)
    torch.testing.assert_close(found, [DRAWS[name]() for _ in range(2)], rtol=0, atol=0)
    assert numbers.drew


@pytest.mark.parametrize("inference", [False, True])
def test_what_does_not_draw_is_not_said_to(inference):
    numbers = OwnNumbers(0)
    with numbers, torch.inference_mode(inference):
        torch.nn.functional.scaled_dot_product_attention(*torch.ones(3, 1, 2, 5, 4))
        torch.nn.functional.dropout(torch.ones(5), training=False)
        torch.rand(3, generator=torch.Generator())
    assert not numbers.drew


def test_another_thread_draws_what_it_would_have_drawn():
    """To the last number, also while a stream flows: the generator is never lent."""
    stop = threading.Event()

    def draw_all():
        while not stop.is_set():
            with Stream(1).flowing():
                for name in ("dropout", "rand", "dropout in inference mode", "LSTM", "attention"):
                    DRAWS[name]()

    def cell():
        torch.manual_seed(0)
        return [torch.rand(1).item() for _ in range(5000)]

    wanted = cell()
    thread = threading.Thread(target=draw_all)
    thread.start()
    try:
        assert cell() == wanted
    finally:
        stop.set()
        thread.join()
