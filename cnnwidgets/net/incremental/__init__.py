"""Exact incremental inference: what a network says of a picture with a patch on it, from the part that the patch changes."""

from cnnwidgets.net.incremental.patches import Patches
from cnnwidgets.net.incremental.scorer import Scorer
from cnnwidgets.net.incremental.scores import Positions, Scores

__all__ = ["Patches", "Positions", "Scorer", "Scores"]
