"""Storing instance types: their facts, and which of them are watched in a region."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from django.db import transaction

from spot_optimizer.aws.instance_types import TypeFacts
from spot_optimizer.market.models import InstanceTypeFacts, WatchedType
from spot_optimizer.market.region_lock import lock_region


def store_instance_types(facts: Collection[TypeFacts], *, now: datetime) -> None:
    """Store the facts as of ``now``. They replace older facts, and never newer ones."""
    rows = [
        InstanceTypeFacts(refreshed_at=now, **_columns(row))
        for row in sorted(facts, key=lambda row: row.name)
    ]
    with transaction.atomic():
        InstanceTypeFacts.objects.bulk_create(rows, ignore_conflicts=True)
        # Locked: another job that stores the same types runs before or after, not in between.
        older = InstanceTypeFacts.objects.filter(
            pk__in=[row.name for row in rows], refreshed_at__lt=now
        )
        names = set(older.order_by("pk").select_for_update().values_list("pk", flat=True))
        InstanceTypeFacts.objects.bulk_create(
            [row for row in rows if row.name in names],
            update_conflicts=True,
            unique_fields=["name"],
            update_fields=[*(f for f in TypeFacts._fields if f != "name"), "refreshed_at"],
        )


def _columns(facts: TypeFacts) -> dict[str, Any]:
    return facts._asdict() | {"accelerator": facts.accelerator or ""}


def watch_types(*, region: str, product: str, instance_types: Iterable[str]) -> None:
    """Have each refresh of the region fetch the spot prices of these types from now on."""
    with transaction.atomic():
        lock_region(region)
        WatchedType.objects.bulk_create(
            [
                WatchedType(region_id=region, product=product, instance_type=name)
                for name in sorted(instance_types)
            ],
            ignore_conflicts=True,
        )


def mark_complete(
    *, region: str, product: str, instance_types: Collection[str], until: datetime
) -> None:
    """Record that the prices of these types are complete up to ``until``; never go back in time."""
    with transaction.atomic():
        lock_region(region)
        watched = WatchedType.objects.filter(
            region=region, product=product, instance_type__in=instance_types
        )
        watched.filter(until=None).update(until=until)
        watched.filter(until__lt=until).update(until=until)
