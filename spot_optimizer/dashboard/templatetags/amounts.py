"""Numbers as people read them; the session page's format.js writes them the same way."""

from decimal import ROUND_HALF_UP, Decimal

from django import template

register = template.Library()

DASH = "\u2013"
UNKNOWN = DASH
MINUS = "\u2212"
SPACE = "\u00a0"  # a number keeps its unit beside it


@register.filter
def usd(value: float | None, digits: int = 2) -> str:
    if value is None:
        return UNKNOWN
    return f"{_sign(value)}${_fixed(abs(value), digits):,}"


@register.filter
def hourly(value: float | None) -> str:
    return UNKNOWN if value is None else f"{usd(value, 4)}/h"


@register.filter
def percent(value: float | None) -> str:
    """Write 68.4 as "68 %", 3.21 as "3.2 %", 0.01629 as "0.016 %"."""
    if value is None:
        return UNKNOWN
    return f"{_sign(value)}{_sized(abs(value))}{SPACE}%"


@register.filter
def share(fraction: float | None) -> str:
    return percent(None if fraction is None else 100 * fraction)


@register.filter
def milliseconds(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:.0f}{SPACE}ms" if value < 1000 else f"{value / 1000:.1f}{SPACE}s"


@register.filter
def band(rate: str | None) -> str:
    """Write the Advisor's "5-10%" as a range of per cents."""
    return UNKNOWN if rate is None else rate.replace("-", DASH).replace("%", f"{SPACE}%")


@register.filter
def words(name: str) -> str:
    return name.replace("_", " ")


def _sized(size: float) -> str:
    if size >= 10:
        return f"{_fixed(size, 0):,}"
    if size >= 1:
        return f"{_fixed(size, 1):f}".removesuffix(".0")
    if size == 0:
        return "0"
    return "<0.001" if size < 0.001 else f"{size:.2g}"


def _fixed(value: float, digits: int) -> Decimal:
    # What it says, not its binary: a stored 55.845 and one as a float have to be the same text.
    return Decimal(str(value)).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)


def _sign(value: float) -> str:
    return MINUS if value < 0 else ""
