"""What the browser is told of a panel's controls, and what comes back from them."""

from __future__ import annotations

import numpy as np
import pytest
import traitlets as t

from cnnwidgets.base import Panel, action, controls
from cnnwidgets.base.image import Image
from cnnwidgets.base.traits import Cursor, Flag, Number, Slide, public
from cnnwidgets.views import MatrixView
from tests.base.tiny import control
from tests.views.wire import sent


class Blank(Panel):
    """A panel without controls, that shows one number."""

    def build(self):
        return MatrixView()

    def compute(self, state, job):
        return 1


def panel_of(**traits) -> Panel:
    """A panel with some traits."""
    return type("Some", (Blank,), traits)()


def told(panel: Panel, name: str = "trait") -> dict:
    """What the browser is told of a control, beyond what it is told of all."""
    common = {"name", "label", "help", "more", "group", "when", "absent", "locked", "kernel"}
    return {key: value for key, value in control(panel, name).items() if key not in common}


def words(count: int, length: int = 1) -> list[tuple[str, int]]:
    return [(f"{k}".rjust(length, "-"), k) for k in range(count)]


def chosen(pairs, kind=controls.Choice):
    return public(t.Any(help="one of some"), kind(options=lambda panel: pairs), then="nothing")


@pytest.mark.parametrize(
    ("trait", "spec"),
    [
        (Slide(3, (1, 9), help="a number"), {"min": 1, "max": 9, "step": 1, "whole": True}),
        (Slide(3.0, (1, 9), help="a number"), {"min": 1, "max": 9, "step": 0.5, "whole": False}),
        (Slide(3.0, (1, 9), step=0.1, help="a number"), {"min": 1, "max": 9, "step": 0.1, "whole": False}),
        (Slide(3, lambda panel: (1, 0), help="a number"), {"min": 1, "max": 1, "step": 1, "whole": True}),
        (Slide(None, (0, 3), nothing="all", help="a number"),
         {"min": 0, "max": 3, "step": 1, "whole": True, "none": "all", "before": True}),
        (Cursor(control=controls.Slider(bounds=lambda panel: (0, 63)), help="a row"),
         {"min": 0, "max": 63, "step": 0.5, "whole": False}),
    ],
)  # fmt: skip
def test_a_slider_is_over_whole_numbers_or_halves_unless_it_says_its_steps(trait, spec):
    assert told(panel_of(trait=trait)) == {"kind": "slider", **spec}


@pytest.mark.parametrize(
    ("trait", "spec"),
    [
        (Number(3, 1, 9, help="a number"), {"step": 1}),
        (Number(3.0, 1, 9, help="a number"), {"step": None}),
        (Number(None, 1, 9, whole=True, help="a number"), {"step": 1, "none": "auto"}),
        (Number(None, 1, 9, none="never", help="a number"), {"step": None, "none": "never"}),
    ],
)
def test_an_empty_field_has_words_where_none_will_do(trait, spec):
    assert told(panel_of(trait=trait)) == {"kind": "number", "min": 1, "max": 9, **spec}


@pytest.mark.parametrize(
    ("free", "taken"), [(False, [1, 9]), ("above", [1, 9, 10]), (True, [0, 1, 9, 10])], ids=["both", "above", "free"]
)
def test_code_may_go_beyond_the_ends_of_a_field_where_it_is_said_so(free, taken):
    panel = panel_of(trait=Number(3, 1, 9, free=free, help="a number"))

    def takes(value: int) -> bool:
        try:
            panel.trait = value
        except t.TraitError:
            return False
        return panel.trait == value

    assert [value for value in (0, 1, 9, 10) if takes(value)] == taken
    assert [told(panel)[end] for end in ("min", "max")] == [1, 9]


@pytest.mark.parametrize(
    ("pairs", "kind", "shown"),
    [
        (words(5), controls.Choice, "segment"),
        (words(6), controls.Choice, "choice"),
        (words(4, 7), controls.Choice, "segment"),
        (words(4, 8), controls.Choice, "choice"),
        (words(40), controls.Choice, "choice"),
        (words(41), controls.Choice, "search"),
        (words(16), controls.Several, "several"),
        (words(17), controls.Several, "tags"),
        (words(3), controls.Steps, "steps"),
    ],
)
def test_few_choices_are_buttons_some_a_list_and_among_many_one_searches(pairs, kind, shown):
    assert told(panel_of(trait=chosen(pairs, kind)))["kind"] == shown


@pytest.mark.parametrize(("letters", "kind"), [(8, "segment"), (9, "choice")])
def test_behind_more_buttons_have_half_the_room(letters, kind):
    pairs = words(2, letters)
    shown = controls.Choice(options=lambda panel: pairs, more=True)
    trait = public(t.Any(help="one of some"), shown, then="nothing")
    assert told(panel_of(trait=trait))["kind"] == kind


def test_a_long_list_travels_once_and_by_itself(monkeypatch):
    pairs = words(25)
    panel = panel_of(long=chosen(pairs), short=chosen(pairs[:24]), number=Number(1, 1, 9, help="a number"))
    assert control(panel, "short")["options"] == [[text, value] for text, value in pairs[:24]]
    assert control(panel, "long")["options"] == "long"
    assert panel._lists == {"long": [[text, value] for text, value in pairs]}
    panel.wait()
    with sent(panel, monkeypatch) as messages:
        panel.number = 2
        panel.wait()
        pairs.append(("new", 99))
        panel.number = 3
        panel.wait()
    states = [message.get("state", {}) for message in messages]
    traveled = [state["_lists"]["long"] for state in states if "_lists" in state]
    assert [len(one) for one in traveled] == [26]


def test_what_is_said_of_all_controls_is_the_traits_own():
    shown = controls.Tick(more=True, group="Colors", when={"word": ["a", None]}, absent=lambda panel: panel.is_odd)
    panel = panel_of(is_odd=Flag(True, help="odd or even"), in_color=public(t.Bool(help="in color"), shown))
    spec = control(panel, "in_color")
    assert (spec["label"], spec["help"], spec["more"], spec["group"]) == ("in color", "in color", True, "Colors")
    assert (spec["when"], spec["absent"]) == ({"word": ["a", None]}, True)
    panel.is_odd = False
    assert not control(panel, "in_color")["absent"]


# what comes back


def test_a_pair_stays_a_pair_until_a_hand_slides_to_one_number():
    sizes = t.Union([t.Int(), t.List(t.Int())], default_value=[9, 8], help="pixels")
    panel = panel_of(patch=public(sizes, controls.Slider(bounds=lambda panel: (1, 64))))
    assert control(panel, "patch")["whole"]
    assert panel.get_state("patch") == {"patch": [9, 8]}
    panel.set_state({"patch": 10})
    assert panel.patch == 10


def test_a_place_between_pixels_is_said_exactly_and_a_whole_one_is_a_place_too():
    panel = panel_of(y=Cursor(control=controls.Slider(bounds=lambda panel: (0, 63)), help="a row"))
    panel.y = 20.25
    assert panel.get_state("y") == {"y": 20.25}
    panel.set_state({"y": 21})
    assert panel.y == 21.0 and isinstance(panel.y, float)


def test_a_picture_that_is_no_number_of_a_data_set_is_words_and_a_number_can_be_chosen():
    panel = panel_of(
        image=public(Image(np.zeros((4, 4), np.uint8), help="a picture"), controls.Picture(among=lambda _: range(5)))
    )
    assert told(panel, "image") == {"kind": "picture", "min": 0, "max": 4}
    assert panel.get_state("image") == {"image": {"other": "4×4 pixels"}}
    panel.set_state({"image": 0})
    assert panel.image == 0


# buttons


class Pot(Blank):
    """Is stirred by a button."""

    turns = Number(0, 0, 9, help="how often it was stirred")

    @action(lambda panel: f"Stir ({panel.turns})", absent=lambda panel: panel.turns > 2, locked_by="turns", primary=True)
    def stir(self):
        """Stir it once.

        It never burns.
        """
        self.turns += 1

    @action("Spill")
    def spill(self):
        """Pour it out."""
        raise ValueError("there is nothing in the pot")


def press(panel: Panel, name: str) -> None:
    panel.wait()
    panel._handle_custom_msg({"kind": "action", "name": name}, [])


def test_a_button_calls_its_method_and_says_what_the_panel_tells_it_to():
    panel = Pot()
    spec = control(panel, "stir")
    assert (spec["kind"], spec["label"], spec["help"], spec["primary"]) == ("action", "Stir (0)", "Stir it once.", True)
    press(panel, "stir")
    assert panel.turns == 1
    assert control(panel, "stir")["label"] == "Stir (1)"
    panel.turns = 3
    assert control(panel, "stir")["absent"]


def test_what_a_button_raises_is_a_sentence_and_what_is_no_button_calls_nothing():
    panel = Pot()
    press(panel, "spill")
    assert panel.status.kind == "error"
    assert "there is nothing in the pot" in panel.status.message
    press(panel, "close")
    assert panel.comm is not None


def test_a_button_is_locked_and_hidden_with_its_trait():
    assert control(Pot(lock=["turns"]), "stir")["locked"]
    assert not control(Pot(lock=["turns"]), "spill")["locked"]
    assert [spec["name"] for spec in Pot(hide=["turns"])._controls] == ["spill"]
