"""What can be looked at beside a layout, to read it right (Wattenberg, Viégas and Johnson, Distill 2016)."""

from __future__ import annotations

from typing import Any

from cnnwidgets.methods.class_changes import Kind, title_of
from cnnwidgets.methods.embedding_parameters import TITLES, neighbors_at_most

PERPLEXITIES = (5, 15, 50, 150)

SIZES: tuple[tuple[Kind, float], ...] = (("spread", 3), ("spread", 1 / 3), ("thin", 1 / 4))
"""Changes of a class that should change its size on a map."""

DISTANCES: tuple[tuple[Kind, float], ...] = (("move", 2), ("move", 5))
"""Changes that should change its distance from the others."""

COMPARISONS = {
    "nothing": "nothing",
    "noise": "random numbers",
    "perplexities": "other perplexities",
    "seeds": "other seeds",
    "size": "a wider class",
    "distance": "a farther class",
}
"""What can be looked at beside a layout, by name."""


def comparisons(compare: str, method: str, n: int, seed: int = 0) -> list[tuple[str, dict[str, Any]]]:
    """What to compare a layout of n pictures with: a title, and what is different there.

    That is a parameter, the ``seed``, ``noise=True``: of :func:`cnnwidgets.methods.noise_like` instead of the features, or
    ``change=(kind, factor)``: of features in which one class was changed, see :class:`ClassChange`. The last of these is
    a PCA (``method="pca"``), which shows sizes and distances as they are.

    Parameters:
        compare: a name in ``COMPARISONS``.
        method, seed: of the layout.

    Raises:
        ValueError: PCA has no parameter and no seed to compare, or there are too few pictures.
    """
    if compare == "noise":
        return [("random numbers of the same shape", {"noise": True})]
    if compare == "nothing":
        return []
    if compare in ("size", "distance"):
        changes = SIZES if compare == "size" else DISTANCES
        found: list[tuple[str, dict[str, Any]]] = [(title_of(*change), {"change": change}) for change in changes]
        linear = SIZES[0] if compare == "size" else DISTANCES[-1]
        contrast = (f"{title_of(*linear)} ({TITLES['pca']})", {"change": linear, "method": "pca"})
        return found if method == "pca" else [*found, contrast]
    if method == "pca":
        raise ValueError("PCA has neither a perplexity nor a random seed to compare: choose t-SNE or UMAP")
    if compare == "seeds":
        return [(f"seed {seed + k}", {"seed": seed + k}) for k in (1, 2)]
    name, most = neighbors_at_most(method, n)
    fitting = [value for value in PERPLEXITIES if value <= most]
    if not fitting:
        raise ValueError(f"{n} pictures are too few to compare a {name} of {PERPLEXITIES[0]} or more: take more pictures")
    return [(f"{name} {value}", {name: value}) for value in fitting]
