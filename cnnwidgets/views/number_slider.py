"""A slider over a number."""

from __future__ import annotations

from typing import ClassVar

import ipywidgets as w
import traitlets as t

from cnnwidgets.views.view import View


class NumberSlider(View, module="number_slider.js"):
    """A slider, and beside it a field that says its number exactly, and takes any other.

    >>> NumberSlider(value=0.1, min=1e-6, max=100.0, logarithmic=True, description="rate")

    A value between the places of the slider is shown at the nearest of them and stays what it is: nothing is sent that no
    hand did. (ipywidgets' own sliders send back what they have rounded.)
    """

    needs_kernel: ClassVar[bool] = True

    value = t.Union([t.Int(), t.Float()], default_value=None, allow_none=True, help="the number; None: none").tag(sync=True)
    words = t.Unicode(help="what the field says in place of the number, such as both of a pair").tag(sync=True)
    min = t.Union([t.Int(), t.Float()], default_value=0, help="first place of the slider").tag(sync=True)
    max = t.Union([t.Int(), t.Float()], default_value=100, help="last place of the slider").tag(sync=True)
    step = t.Union([t.Int(), t.Float()], default_value=1, help="from one place to the next").tag(sync=True)
    logarithmic = t.Bool(False, help="whether the places are two digits of every power of ten, instead of steps").tag(
        sync=True
    )
    whole = t.Bool(False, help="whether hands give whole numbers only").tag(sync=True)
    low = t.Float(None, allow_none=True, help="least number that the field takes; None: that of the slider").tag(sync=True)
    high = t.Float(None, allow_none=True, help="largest number that the field takes; None: that of the slider").tag(
        sync=True
    )
    description = t.Unicode(help="what the number is").tag(sync=True)
    disabled = t.Bool(False, help="whether a hand cannot change it").tag(sync=True)

    def __init__(self, **traits):
        traits.setdefault("layout", w.Layout(width="min(300px, 100%)"))
        super().__init__(**traits)
