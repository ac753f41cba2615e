"""One function of a forward pass, with its arguments read: along which dimensions it works, and which positions it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch

from cnnwidgets.net.axes import Axes

Taken = range | int | None
"""Positions taken along a dimension; one, which leaves no axis; or some in any order."""


class Call(NamedTuple):
    """A function that has run.

    Attributes:
        name: its plain name.
        args, kwargs: what it was given.
        tensors: all tensors among these.
        known: those of them that depend on the picture, with their axes.
        output: one of the tensors that it gave.
    """

    name: str
    args: tuple
    kwargs: dict[str, Any]
    tensors: Sequence[torch.Tensor]
    known: Sequence[tuple[torch.Tensor, Axes]]
    output: torch.Tensor

    @property
    def tensor(self) -> torch.Tensor:
        """The first tensor that depends on the picture."""
        return self.known[0][0]

    @property
    def axes(self) -> Axes:
        return self.known[0][1]

    def axes_of(self, tensor: torch.Tensor) -> Axes | None:
        """Of a tensor that was given; None if it does not depend on the picture."""
        return next((axes for each, axes in self.known if each is tensor), None)

    def given(self, position: int, *names: str, default: Any = None) -> Any:
        """An argument by its position or its name."""
        if len(self.args) > position:
            return self.args[position]
        return next((self.kwargs[name] for name in names if name in self.kwargs), default)

    @property
    def is_pointwise(self) -> bool:
        """Whether it works element by element; ``max(a, b)`` does, ``max(a)`` does not."""
        return self.name in POINTWISE or (self.name in ("max", "min") and len(self.tensors) == 2)

    @property
    def dims(self) -> tuple[int, ...]:
        """The dimensions, from 0 on, along which values are brought together or change their order; all by default."""
        count = self.tensor.ndim
        position, default = _DIMS[self.name]
        dims = self.given(position, "dim", "dims", "axis", default=default)
        if self.name == "linear":
            dims = -1
        elif self.name in ("layer_norm", "rms_norm"):
            dims = range(-len(self.given(1, "normalized_shape")), 0)
        elif self.name == "flip" and isinstance(dims, int):
            dims = self.args[1:]
        elif self.name in ("softmax", "log_softmax", "softmin") and dims is None:
            dims = 0 if count in (0, 1, 3) else 1  # torch's old implicit choice
        if dims is None or isinstance(dims, bool):  # std(unbiased)
            return tuple(range(count))
        return tuple(dim % count for dim in (dims if isinstance(dims, Sequence) else (dims,))) or tuple(range(count))

    @property
    def picks(self) -> list[tuple[int | None, Taken]]:
        """What is taken of each dimension of the tensor, in order; the dimension is None where a new axis is put in.

        Raises:
            LookupError: it is taken by a mask, or by several lists.
        """
        shape = self.tensor.shape
        if self.name == "getitem":
            return list(_index(self.args[1], shape, self.output.ndim))
        dim = self.given(*_PICK_DIM[self.name], "dim", default=0) % len(shape)
        start = (self.output.storage_offset() - self.tensor.storage_offset()) // max(1, self.tensor.stride(dim))
        taken = start if self.output.ndim < len(shape) else range(start, start + self.output.shape[dim])
        return [(number, taken if number == dim else range(size)) for number, size in enumerate(shape)]

    @property
    def factors(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The two tensors of a matrix product."""
        first, second = self.tensors[-2:]
        return first, second

    def summed_axes(self, tensor: torch.Tensor) -> Axes | None:
        """The axes of a factor over which a product sums; None if the function is none."""
        axes = self.axes_of(tensor)
        if axes is not None and self.name in PRODUCTS:
            return axes[-2:][:1] if tensor is self.factors[1] else axes[-1:]
        if axes is not None and self.name == "einsum":
            try:
                terms, result = self.letters
            except LookupError:
                return None
            term = next(term for term, _, each in terms if each is tensor)
            return tuple(axis for letter, axis in zip(term, axes, strict=True) if letter not in result)
        return None

    @property
    def letters(self) -> tuple[list[tuple[str, Axes | None, torch.Tensor]], str]:
        """Of ``torch.einsum``: each operand's letters, axes and tensor; and the result's letters.

        Raises:
            LookupError: the equation has an ellipsis, or is none.
        """
        equation = self.args[0] if self.args else None
        if not isinstance(equation, str) or "." in equation:
            raise LookupError(self.name)
        given, arrow, result = equation.replace(" ", "").partition("->")
        terms = given.split(",")
        if not arrow:
            result = "".join(letter for letter in sorted(set(given) - {","}) if given.count(letter) == 1)
        return [(term, self.axes_of(each), each) for term, each in zip(terms, self.tensors, strict=True)], result

    @property
    def queries_keys_values(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The three tensors of an attention; a whole encoder layer makes them of one."""
        query, key, value = (self.tensor,) * 3 if self.name in _WHOLE_LAYERS else self.tensors[:3]
        return query, key, value


def _index(index: Any, shape: Sequence[int], axes_left: int) -> Iterator[tuple[int | None, Taken]]:
    """The same as :attr:`Call.picks`, of ``tensor[index]``."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if sum(_is_list(part) for part in parts) > 1:
        raise LookupError("several lists")
    if not any(part is ... for part in parts):
        parts.append(...)
    skipped = len(shape) - sum(part is not None and part is not ... for part in parts)
    dim = left = 0
    for part in parts:
        if part is None:
            yield None, range(1)
        elif part is ...:
            yield from ((number, range(shape[number])) for number in range(dim, dim + skipped))
            dim += skipped
            left += skipped
            continue
        elif isinstance(part, slice):
            yield dim, range(*part.indices(shape[dim]))
        elif _is_list(part):
            yield dim, None
        else:
            yield dim, int(part) % shape[dim]
        dim += part is not None
        left += part is None or isinstance(part, slice) or _is_list(part)
    if left != axes_left:  # a mask over several dimensions, a list of lists
        raise LookupError("a mask")


def _is_list(part: Any) -> bool:
    return isinstance(part, (list, range)) or getattr(part, "ndim", 0) > 0 or isinstance(part, bool)


POINTWISE = frozenset(
    "relu relu6 leaky_relu prelu elu selu celu gelu silu mish sigmoid log_sigmoid logsigmoid tanh hardtanh hardswish "
    "hardsigmoid softplus softsign threshold clamp clip exp log log1p sqrt rsqrt square abs neg pow sin cos erf dropout "
    "dropout1d dropout2d dropout3d feature_dropout alpha_dropout feature_alpha_dropout add sub rsub mul div maximum minimum "
    "where addcmul addcdiv lerp local_response_norm contiguous clone detach to float half double type type_as bfloat16 fill "
    "masked_fill identity positive stochastic_depth drop_path eq ne gt ge lt le clamp_min clamp_max sign reciprocal expm1 "
    "tan round floor ceil hardshrink softshrink tanhshrink rrelu floor_divide remainder nan_to_num logit xlogy copy data "
    "quantize_per_tensor quantize_per_channel dequantize".split()
)
"""Element by element."""

JOINS = frozenset(("cat", "concat", "concatenate"))
PICKS = frozenset("getitem select narrow split unsafe_split split_with_sizes chunk unsafe_chunk tensor_split unbind".split())
REGROUPS = frozenset("reshape view flatten unflatten squeeze unsqueeze view_as reshape_as unsafe_view ravel".split())
TURNS = frozenset("permute transpose movedim moveaxis swapaxes swapdims t T mT H mH adjoint".split())
SOFTMAXES = frozenset("softmax log_softmax softmin".split())
REDUCTIONS = frozenset(
    "mean sum amax amin max min std var norm prod logsumexp median nanmean std_mean var_mean vector_norm".split()
)
REORDERS = frozenset("roll flip sort index_select".split())
PRODUCTS = frozenset("matmul bmm mm baddbmm addmm".split())
_WHOLE_LAYERS = frozenset(("transformer_encoder_layer_fwd",))
PROJECTING = _WHOLE_LAYERS | {"multi_head_attention_forward", "native_multi_head_attention"}
ATTENTIONS = PROJECTING | {"scaled_dot_product_attention"}
"""Attention; those of the first set make queries, keys and values themselves."""

_DIMS: dict[str, tuple[int, Any]] = {  # where the dimensions stand among the arguments, and what is taken if they do not
    **dict.fromkeys(SOFTMAXES | REDUCTIONS, (1, None)),
    **dict.fromkeys(("norm", "vector_norm", "roll"), (2, None)),
    **dict.fromkeys(("cumsum", "cumprod", "flip", "index_select"), (1, None)),
    **dict.fromkeys(("linear", "layer_norm", "rms_norm"), (99, None)),
    "normalize": (2, 1),
    "glu": (1, -1),
    "sort": (1, -1),
}
_PICK_DIM = dict.fromkeys(PICKS, (2,)) | dict.fromkeys(("select", "narrow", "unbind"), (1,))
