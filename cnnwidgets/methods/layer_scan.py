"""One scan of a data set for what is asked of all units of some layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from cnnwidgets.methods.batches import generators_kept, learn_input_shape, numbers_of
from cnnwidgets.methods.scan import Reducer, Scan, scan
from cnnwidgets.net import BoundModel, Cancelled, Layer
from cnnwidgets.net.progress import Cancel, OnUpdate

Found = TypeVar("Found")


def layer_scan(
    net: BoundModel,
    dataset: Any,
    layers: str | Sequence[str],
    reducers: Callable[[dict[str, Layer]], Mapping[str, Reducer]],
    found: Callable[[Scan], Found],
    *,
    indices: Sequence[int] | None = None,
    on_update: OnUpdate[Found] | None = None,
    cancel: Cancel | None = None,
    **options: Any,
) -> Found:
    """Scan a data set once.

    Parameters:
        layers: a name in ``net.layers``, or several.
        reducers: makes them, by names of their own, of the layers' rows by name.
        found: what a scan, perhaps of a part only, is told as.
        options: of :func:`scan`, as indices and cancel are.

    Raises:
        KeyError: there is no such layer; names like it are offered.
        ValueError: a layer has no units, or no layer is named; and whatever :func:`scan` raises.
        Cancelled: cancel was set; its ``partial`` is what was found until then, or None.
    """
    names = [layers] if isinstance(layers, str) else list(layers)
    if not names:
        raise ValueError("layers is empty; expected at least one name of net.layers")
    with generators_kept():
        learn_input_shape(net, dataset, numbers_of(dataset, indices))
    rows = {name: net.layers[name] for name in names}
    for row in rows.values():
        _ = row.map_shape  # raises the sentence for a layer without units

    def tell(part: Scan, share: float) -> None:
        if on_update:
            on_update(found(part), share)

    try:
        done = scan(net, dataset, reducers(rows), indices=indices, on_update=tell, cancel=cancel, **options)
    except Cancelled as stop:
        raise Cancelled("cancelled", partial=found(stop.partial) if stop.partial else None) from None
    return found(done)
