"""
When each kind of market data of a region was refreshed from AWS: the last time, and the first.

AWS lists all on-demand prices and bands that are valid. From the first full refresh on, values from
older files that AWS does not list are therefore no longer valid.
"""

from datetime import UTC, datetime, timedelta

from django.db import transaction

from spot_optimizer.market.models import Refresh
from spot_optimizer.market.region_lock import lock_region

ADVISOR = "advisor"
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)  # before all stored data


def on_demand(operating_system: str) -> str:
    return f"on-demand {operating_system}"


def is_due(*, region: str, what: str, every: timedelta, now: datetime) -> bool:
    recent = Refresh.objects.filter(region=region, what=what, refreshed_at__gt=now - every)
    return not recent.exists()


def record_refresh(*, region: str, what: str, now: datetime) -> None:
    with transaction.atomic():
        lock_region(region)
        Refresh.objects.update_or_create(
            region_id=region, what=what, defaults={"refreshed_at": now}
        )


def record_full_refresh(*, region: str, what: str, now: datetime) -> None:
    """Record a refresh that listed all valid values; the time of the first one is kept as well."""
    with transaction.atomic():
        record_refresh(region=region, what=what, now=now)
        Refresh.objects.get_or_create(
            region_id=region, what=_first(what), defaults={"refreshed_at": now}
        )


def first_full_refresh(*, region: str, what: str, at: datetime) -> datetime:
    """Return the time of the first full refresh up to ``at``, or ``BEGINNING``."""
    first = Refresh.objects.filter(region=region, what=_first(what), refreshed_at__lte=at)
    return first.values_list("refreshed_at", flat=True).first() or BEGINNING


def _first(what: str) -> str:
    return f"{what}, first"
