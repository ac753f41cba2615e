"""How numbers are written wherever a person reads them. ``views/numbers.js`` writes them alike."""

from __future__ import annotations

import math

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float, digits: int = 3) -> str:
    """A number with so many significant digits and a true minus sign; very large and very small ones as a power of ten.

    >>> number(-5.333), number(0.000127), number(1.5e-7), number(27_000)
    ('−5.33', '0.000127', '1.5×10⁻⁷', '27000')
    """
    value = float(value)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    if value and not -5 < int(exponent) < 6:
        text = f"{float(mantissa):g}×10{str(int(exponent)).translate(_RAISED)}"
    else:
        decimals = max(0, digits - 1 - int(exponent))
        text = f"{float(f'{value:.{digits - 1}e}'):.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "0") else text.replace("-", "−")


def percent(share: float) -> str:
    """A share or a probability, from 0 to 1, as a percentage; only 1 itself is 100%, and only 0 itself 0%.

    >>> percent(0.2537), percent(0.00013), percent(1e-9), percent(0.99999), percent(1)
    ('25.4%', '0.01%', '< 0.01%', '> 99.9%', '100%')
    """
    share = float(share)
    if math.isnan(share):
        return "NaN"
    if share in (0, 1):
        return f"{share:.0%}"
    if abs(share) < 0.0001:
        return "< 0.01%"
    if 0.9995 <= share < 1:
        return "> 99.9%"
    return (f"{share:.2%}" if abs(share) < 0.001 else f"{share:.1%}").replace("-", "−")
