"""Numbers and times as people say them."""

from datetime import datetime, timedelta
from decimal import Decimal

from django import template
from django.utils import timezone
from django.utils.timesince import timesince

register = template.Library()


@register.filter
def usd(amount: Decimal | float) -> str:
    """Return an amount in US dollars; small ones keep the digits that tell them apart."""
    is_small = 0 < abs(float(amount)) < 1
    return f"${amount:,.4f}" if is_small else f"${amount:,.2f}"


@register.filter
def ago(at: datetime) -> str:
    """Return how long ago that was, as one number."""
    if timezone.now() - at < timedelta(minutes=1):
        return "just now"
    return f"{timesince(at, depth=1)} ago"


@register.filter
def purchase(code: str) -> str:
    return "spot" if code == "spot" else "on demand"
