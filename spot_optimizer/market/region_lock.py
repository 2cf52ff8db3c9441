"""The lock that serializes writes to one region's market data."""

from uuid import uuid4

from spot_optimizer.market.models import Region


def lock_region(region: str) -> None:
    """
    Lock the region's row until the end of the transaction, and invalidate cached snapshots.

    Each write to a region's data locks it first: two jobs that store the same prices at the same
    time do so one after the other.
    """
    Region.objects.bulk_create([Region(name=region)], ignore_conflicts=True)
    Region.objects.filter(pk=region).update(version=uuid4())
