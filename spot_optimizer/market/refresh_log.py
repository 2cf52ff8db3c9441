"""
From when on AWS itself is asked for on-demand prices and bands of a region.

AWS lists all there is: what older files told and AWS does not has ended by then.
"""

from datetime import UTC, datetime

from spot_optimizer.market.models import Refresh

ADVISOR = "advisor"
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)  # older than anything that is known


def on_demand(operating_system: str) -> str:
    return f"on-demand {operating_system}"


def asked_since(*, region: str, what: str, at: datetime) -> datetime:
    """Return from when on AWS has told ``what`` as of ``at``; ``BEGINNING`` if it has not."""
    first = Refresh.objects.filter(region=region, what=first_time(what), refreshed_at__lte=at)
    return first.values_list("refreshed_at", flat=True).first() or BEGINNING


def first_time(what: str) -> str:
    """Return the name of the refresh that is the first one of ``what``, and stays."""
    return f"{what}, first"
