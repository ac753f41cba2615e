"""What draws a part of a panel's result, and after which changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from cnnwidgets.net.layers import nearest
from cnnwidgets.optional import MissingPackage

Method = TypeVar("Method", bound=Callable[..., Any])

Part: TypeAlias = Callable[[Any, Any], Any]
"""Gives, of a panel and a result, a part of the result."""


def draws(*names: str, of: Part | None = None) -> Callable[[Method], Method]:
    """This method of a panel draws a part of its result: whenever there is one, and when one of these traits changes.

    >>> @draws("unit")
    ... def draw_detail(self, found): self.kernel.show(found.kernels[self.unit])

    The methods are called in the order in which they are written, those of a base class first, with the result. They read
    it and the state, set traits of views, and nothing else: what ``compute`` left elsewhere may be of another request.

    Parameters:
        names: of public traits.
        of: gives, of the panel and the result, the part of it that is drawn: a result that has the same part as the one
            before is not drawn again. For panels that show many partial results.
    """

    def mark(method: Method) -> Method:
        method.draws, method.of = names, of  # type: ignore[attr-defined]
        return method

    return mark


def drawing(cls: type, public: list[str]) -> dict[str, tuple[str, ...]]:
    """The names of a class' methods that draw, and of the traits that each follows.

    Raises:
        TypeError: a name is none of the class' public traits.
    """
    found: dict[str, tuple[str, ...]] = {}
    for base in reversed(cls.__mro__):
        for name, method in vars(base).items():
            if hasattr(method, "draws"):
                found[name] = method.draws
            elif name in found:
                del found[name]  # overridden by one that draws nothing
    for method, names in found.items():
        for name in names:
            if name not in public:
                raise TypeError(
                    f"{cls.__name__}.{method} draws after {name!r}, which is none of its public traits."
                    f"{nearest(name, public)} It has {', '.join(public) or 'none'}."
                )
    return found


class Drawn:
    """What each of a panel's methods has drawn of a result, so that what is on screen is not drawn again."""

    def __init__(self) -> None:
        self._parts: dict[str, Any] = {}
        self._missing: dict[str, str] = {}

    @property
    def missing(self) -> str:
        """What to say of a package without which some of it could not be drawn; all else is."""
        return next(iter(self._missing.values()), "")

    def draw(self, panel: Any, result: Any) -> None:
        """Call the methods of a panel that draw, but for those whose part of the result is on screen."""
        for name in panel.drawing:
            of = getattr(type(panel), name).of
            part = of and of(panel, result)
            if of and name in self._parts and self._parts[name] == part:
                continue
            self._parts.pop(name, None)  # if it fails half of it may be drawn
            self.call(panel, name, result)
            self._parts[name] = part

    def call(self, panel: Any, name: str, result: Any) -> None:
        """Call one of them."""
        self._missing.pop(name, None)
        try:
            getattr(panel, name)(result)
        except MissingPackage as error:
            self._missing[name] = str(error)
