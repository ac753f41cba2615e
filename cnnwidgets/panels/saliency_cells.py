"""What a SaliencyPanel says of each map."""

from __future__ import annotations

import numpy as np

from cnnwidgets.methods.faithfulness import pointing_game
from cnnwidgets.methods.segmentation import Segmentation, intersection_over_union
from cnnwidgets.panels.explained import OF_CLASSES, Explained
from cnnwidgets.views import Cell

FAINT = 0.01
"""A probability that hardly anybody would miss."""

NAMES = {
    "saliency": "saliency",
    "gradient_x_input": "gradient × input",
    "smoothgrad": "SmoothGrad",
    "integrated_gradients": "integrated gradients",
    "deconvnet": "deconvnet",
    "guided_backprop": "guided backprop",
    "grad_cam": "Grad-CAM",
    "grad_cam_plus_plus": "Grad-CAM++",
    "layer_cam": "Layer-CAM",
    "score_cam": "Score-CAM",
    "guided_grad_cam": "guided Grad-CAM",
    "occlusion": "occlusion",
    "rise": "RISE",
    "lime": "LIME",
}
"""What the methods are called."""


def cell(result: Explained, method: str, row: int, mask: np.ndarray | None) -> Cell:
    """A map with what there is to say of it, or the sentence why there is none.

    Parameters:
        mask: bool (height, width), where the object is; None if that is not known.
    """
    if method not in result.maps:
        return Cell(None, text="not computed yet")
    found = result.maps[method]
    if isinstance(found, str):
        return Cell(None, text=found)
    one, scale = found[row], result.scale(method)
    notes = [note for note in one.notes if not is_of_all(note) and note not in result.notes]
    if one.gap is not None:
        notes.append(f"completeness gap {one.gap:.2g}")
    if method in OF_CLASSES and result.quantity(row) == "probability" and scale < FAINT:
        notes.insert(0, "hardly any effect: see the scale")
    if mask is not None and not one.is_zero:
        notes.insert(0, "✓ maximum on the object" if pointing_game(one, mask) else "✗ maximum beside the object")
    return Cell(one.values, scale, one.signed, " · ".join(notes))


def about_cut_out(found: Segmentation | str, mask: np.ndarray | None) -> str:
    """How large a segmentation is, and how well it fits the object if that is known."""
    if isinstance(found, str):
        return f"nothing is cut out: {found}"
    words = f"cut out: {found.mask.mean():.1%} of the picture"
    if mask is None:
        return words
    return f"{words}, intersection over union with the object {intersection_over_union(found.mask, mask):.2f}"


def is_of_all(note: str) -> bool:
    """Whether a note is on the network, not on a map."""
    return note.startswith("the network ")
