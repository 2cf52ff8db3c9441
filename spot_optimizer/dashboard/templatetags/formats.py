"""The functions of dashboard/formats.py as template filters."""

from datetime import datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from spot_optimizer.dashboard import formats

register = template.Library()
for function in (
    formats.usd,
    formats.hourly,
    formats.percent,
    formats.share,
    formats.milliseconds,
    formats.interruption_rate,
    formats.utc,
    formats.ago,
    formats.purchase,
):
    register.filter(function.__name__, function)


@register.filter
def spaced(code: str) -> str:
    return code.replace("_", " ")


@register.simple_tag
def utc_time(at: datetime) -> SafeString:
    html = '<time class="number" datetime="{}" title="{} UTC">{}</time>'
    return format_html(html, at.isoformat(), f"{at:%Y-%m-%d %H:%M:%S}", formats.utc(at))
