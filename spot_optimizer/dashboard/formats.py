"""
Numbers, times and decisions as people read them: on pages, in the Lab and in the terminal.

The session page's format.js formats numbers the same way.
"""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from django.utils import timezone
from django.utils.timesince import timesince

EN_DASH = "\u2013"
MINUS = "\u2212"
NO_BREAK_SPACE = "\u00a0"  # between a number and its unit
UNKNOWN = EN_DASH

TONES = {"STAY": "good", "SWITCH": "info", "DRAIN": "warn", "EVACUATE": "bad"}


def decision_tone(decision: str | None) -> str:
    """Return the tone of a decision, which the style sheet turns into a color; "" for none."""
    return TONES.get(decision or "", "")


def usd(value: float | None, digits: int = 2) -> str:
    if value is None:
        return UNKNOWN
    return f"{_sign(value)}${_rounded(abs(value), digits):,}"


def hourly(value: float | None) -> str:
    return UNKNOWN if value is None else f"{usd(value, 4)}/h"


def percent(value: float | None) -> str:
    """Format 68.4 as "68 %", 3.21 as "3.2 %", 0.01629 as "0.016 %"."""
    if value is None:
        return UNKNOWN
    return f"{_sign(value)}{_two_digits(abs(value))}{NO_BREAK_SPACE}%"


def share(fraction: float | None) -> str:
    """Format a fraction as ``percent`` does: 0.684 as "68 %"."""
    return percent(None if fraction is None else 100 * fraction)


def milliseconds(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    if value < 1000:
        return f"{value:.0f}{NO_BREAK_SPACE}ms"
    return f"{value / 1000:.1f}{NO_BREAK_SPACE}s"


def interruption_rate(rate: str | None) -> str:
    """Format the Spot Advisor's "5-10%" as a range of percentages."""
    if rate is None:
        return UNKNOWN
    return rate.replace("-", EN_DASH).replace("%", f"{NO_BREAK_SPACE}%")


def utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def ago(at: datetime) -> str:
    """Return the time since then in its largest unit."""
    if timezone.now() - at < timedelta(minutes=1):
        return "just now"
    return f"{timesince(at, depth=1)} ago"


def purchase(code: str) -> str:
    return "spot" if code == "spot" else "on demand"


def _two_digits(size: float) -> str:
    if size >= 10:
        return f"{_rounded(size, 0):,}"
    if size >= 1:
        return f"{_rounded(size, 1):f}".removesuffix(".0")
    if size == 0:
        return "0"
    return "<0.001" if size < 0.001 else f"{size:.2g}"


def _rounded(value: float, digits: int) -> Decimal:
    # By way of str: 55.845 as a float is a little less in binary, and would round differently
    # from the stored decimal.
    return Decimal(str(value)).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)


def _sign(value: float) -> str:
    return MINUS if value < 0 else ""
