"""Tokens lie where the network has put them: against hooks, against pictures whose pixels say where they come from."""

from __future__ import annotations

import contextlib

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cnnwidgets.net import bind
from tests.net.networks import Function
from tests.net.transformers import TRANSFORMERS


def hooked(model: nn.Module, module: str, image: torch.Tensor) -> torch.Tensor:
    found = []
    handle = model.get_submodule(module).register_forward_hook(lambda part, args, output: found.append(output))
    with torch.no_grad():
        model(image)
    handle.remove()
    return found[0]


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_units_and_grids_are_those_of_the_networks_own_code(name):
    torch.manual_seed(0)
    case = TRANSFORMERS[name]
    model, image = case.build().eval(), torch.rand(1, 3, *case.picture)
    output = hooked(model, case.module, image)
    net = bind(model, input_shape=(3, *case.picture))
    row = net.layers[case.module]
    wanted = case.maps(output)
    assert (row.layout, row.map_shape) == (case.layout, tuple(wanted.shape[1:]))
    assert row.grid == ((case.rows, case.columns, case.first) if case.layout == "tokens" else None)
    assert row.beside_grid == (output.shape[1] - case.rows * case.columns if case.layout == "tokens" else 0)
    found = row.by_unit(net.trace(image, [case.module])[case.module])
    torch.testing.assert_close(found, wanted)


# pictures whose pixels say where they come from

UNITS, ROWS, COLUMNS = 4, 4, 6


def coordinates() -> torch.Tensor:
    unit, row, column = torch.meshgrid(*map(torch.arange, (UNITS, ROWS, COLUMNS)), indexing="ij")
    return (1 + unit * 100 + row * 10 + column).float()


def windows(x):
    n, c, h, w = x.shape
    return x.view(n, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 3, 5, 1).reshape(n, -1, 4, c)


def out_of_windows(x):
    n, _, _, c = x.shape
    return x.view(n, ROWS // 2, COLUMNS // 2, 2, 2, c).permute(0, 5, 1, 3, 2, 4).reshape(n, c, ROWS, COLUMNS)


MOVES = {
    "flatten": lambda x: x.flatten(2),
    "flatten rows first": lambda x: x.flatten(1, 2),
    "flatten all": lambda x: x.flatten(1),
    "to a map": lambda x: x.reshape(1, -1, ROWS, COLUMNS),
    "to channels last": lambda x: x.reshape(1, ROWS, COLUMNS, -1),
    "swap": lambda x: x.transpose(1, 2),
    "swap the last": lambda x: x.mT,
    "channels last": lambda x: x.permute(0, 2, 3, 1),
    "channels first": lambda x: x.movedim(-1, 1),
    "shuffle channels": lambda x: x.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2),
    "windows": windows,
    "out of windows": out_of_windows,
    "heads": lambda x: x.reshape(*x.shape[:2], 2, -1).transpose(1, 2),
    "out of heads": lambda x: x.transpose(1, 2).flatten(2),
    "roll": lambda x: x.roll(1, -1),
    "flip": lambda x: x.flip(2),
    "flip the first": lambda x: x.flip(1),
    "tokens in front": lambda x: torch.cat([torch.zeros_like(x[:, :2]), x], 1),
    "tokens behind": lambda x: torch.cat([x, torch.zeros_like(x[:, :1])], 1),
    "a token of zeros in front": lambda x: F.pad(x, (0, 0, 1, 0)) if x.ndim == 3 else x,
    "without the first": lambda x: x[:, 1:],
    "without the last": lambda x: x[:, :-1],
    "without two": lambda x: x.split([2, x.shape[1] - 2], 1)[1],
    "the first alone": lambda x: x[:, :1],
    "every second": lambda x: x[:, :, ::2],
    "by a list": lambda x: x[:, [1, 0, 3, 2]],
    "half": lambda x: x.chunk(2, 1)[1],
    "stack": lambda x: torch.stack([x, x], 1)[:, 0],
    "squeeze": lambda x: x.unsqueeze(1).squeeze(1),
    "contiguous": lambda x: x.contiguous() * 1,
    "einsum": lambda x: torch.einsum("nab,bc->nac", x, torch.eye(x.shape[2])),
    "matrix": lambda x: torch.eye(x.shape[1]) @ x,
    "twice": lambda x: x + x * 0,
    "expand": lambda x: x[:, None].expand(-1, 1, *x.shape[1:])[:, 0],
    "columns up": lambda x: x.transpose(2, 3),
}


@settings(max_examples=400, derandomize=True, deadline=None)
@given(st.lists(st.sampled_from(list(MOVES)), min_size=1, max_size=7))
def test_whatever_moves_tokens_they_are_on_the_grid_that_is_told_or_none_is_told(names):
    def forward(self, x):
        for name in names:
            with contextlib.suppress(RuntimeError, IndexError, ValueError):  # what does not fit is left out
                x = MOVES[name](x)
        return x * 1

    net = bind(Function(forward), input_shape=(UNITS, ROWS, COLUMNS))
    outputs = net.trace(coordinates())
    for row in net.layers:
        if row.grid is None:
            continue
        values = row.by_unit(outputs[row.name])[0] - 1
        values = values[(values >= 0).any(2).any(1)]  # units that were put beside others are zero
        assert (values >= 0).all(), row  # no token from beside the grid
        height, width = values // 10 % 10, values % 10  # of each unit
        assert (height == height[:, :, :1]).all() and (width == width[:, :1]).all(), row
        assert (height.diff(dim=1) > 0).all() and (width.diff(dim=2) > 0).all(), row
