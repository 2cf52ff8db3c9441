"""Times and codes as people say them."""

from datetime import datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.timesince import timesince

register = template.Library()


@register.filter
def ago(at: datetime) -> str:
    """Return how long ago that was, as one number."""
    if timezone.now() - at < timedelta(minutes=1):
        return "just now"
    return f"{timesince(at, depth=1)} ago"


@register.filter
def purchase(code: str) -> str:
    return "spot" if code == "spot" else "on demand"
