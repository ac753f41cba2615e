"""What a panel is asked with: its public traits, as a dict that JSON can carry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import traitlets as t

from cnnwidgets.base.fitting import Fitting
from cnnwidgets.net.arguments import said
from cnnwidgets.net.layers import nearest

if TYPE_CHECKING:
    from cnnwidgets.base.linking import Link


class Stateful(Fitting):
    """An object whose state is its public traits: those tagged ``control=``.

    Attributes:
        links: those that share traits with it, see :func:`cnnwidgets.link`.
    """

    links: list[Link]

    @classmethod
    def public_traits(cls) -> dict[str, t.TraitType]:
        """The traits that make the state, in the order of their declaration, a subclass' own first."""
        return public_names(cls)

    @property
    def state(self) -> dict[str, Any]:
        """The public traits as a dict that JSON can carry."""
        return {name: self.encoded(name) for name in self.public_traits()}

    def encoded(self, name: str) -> Any:
        """The value of a public trait as :attr:`state` has it."""
        trait, value = self.public_traits()[name], getattr(self, name)
        return trait.encode(value) if hasattr(trait, "encode") else value

    def restore(self, state: dict[str, Any]) -> None:
        """Set the public traits from a :attr:`state`; traits that it does not name keep their values.

        Raises:
            TypeError: a name is no public trait; names like it are offered.
            ValueError: a value does not fit; nothing is changed.
        """
        if not isinstance(state, dict):
            raise TypeError(f"a state is {said(state)}; expected a dict, as panel.state gives")
        self.check_names("", state)
        traits = self.public_traits()
        before = {name: getattr(self, name) for name in state}
        after = {name: _decode(traits[name], value) for name, value in state.items()}
        try:
            with self.hold_trait_notifications():
                for name, value in after.items():
                    setattr(self, name, value)
        except t.TraitError:
            with self.hold_trait_notifications():
                for name, value in before.items():
                    setattr(self, name, value)
            raise

    def check_names(self, what: str, names: Iterable[str]) -> list[str]:
        """Names of public traits, as a list.

        Raises:
            TypeError: a name is none, which says whose argument (``what``) it is.
        """
        public = list(self.public_traits())
        if isinstance(names, str) or not isinstance(names, Iterable):
            raise TypeError(f"{what} is {said(names)}; expected a list of names, such as [{public[0]!r}]")
        for name in names:
            if not isinstance(name, str) or name not in public:
                near = nearest(name, public) if isinstance(name, str) else ""
                taken = f": {what} takes these names" if what else ""
                raise TypeError(f"{type(self).__name__} has no {said(name)}.{near} It has {', '.join(public)}{taken}.")
        return list(names)


def public_names(cls: type) -> dict[str, t.TraitType]:
    """The traits that make a class' state, in the order of their declaration, a subclass' own first."""
    if "_public_names" not in vars(cls):  # which is asked for with every change of a trait
        named: dict[str, Any] = {}
        for base in cls.__mro__:
            for name, value in vars(base).items():
                named.setdefault(name, value)
        public = {name: one for name, one in named.items() if isinstance(one, t.TraitType) and "control" in one.metadata}
        cls._public_names = public  # type: ignore[attr-defined]
    return {**cls._public_names}  # type: ignore[attr-defined]


def _decode(trait: t.TraitType, value: Any) -> Any:
    return trait.decode(value) if hasattr(trait, "decode") else value
