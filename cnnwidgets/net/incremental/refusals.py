"""Why a network has no windows."""

from __future__ import annotations

from textwrap import shorten

LONGEST = 160
"""Characters of a sentence that is quoted."""


class NoWindows(RuntimeError):
    """Windows of maps cannot be used for a network, or would give wrong scores; the message says why."""


class NotTraceable(NoWindows):
    """A forward pass that ``torch.fx`` cannot follow: it may branch on values."""


class MixesPictures(NoWindows):
    """A forward pass in which pictures of a batch change each other's scores."""


def cannot_follow(why: str) -> NotTraceable:
    """What is raised of a forward pass that does something which cannot be written down as a graph."""
    return NotTraceable(f"torch.fx cannot follow its forward pass ({why})")


def first_line(error: Exception) -> str:
    """The first sentence of what an error says, without the full stop; of a long one the beginning."""
    sentence = (str(error).strip() or type(error).__name__).splitlines()[0].split(". ")[0].rstrip(".")
    return shorten(sentence, LONGEST, placeholder=" …")
