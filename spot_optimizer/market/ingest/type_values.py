"""Storing values that change rarely, per operating system and instance type: only their changes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db import models, transaction

from spot_optimizer.market.region_lock import lock_region


class TypeKey(NamedTuple):
    operating_system: str
    instance_type: str


def store_changes(
    stored: models.QuerySet[Any],
    *,
    region: str,
    values: Mapping[TypeKey, Mapping[str, Any]],
    learned_at: datetime,
    since: datetime,
) -> None:
    """Insert the values that differ from the newest ``stored``, ``since`` to ``learned_at``."""
    with transaction.atomic():
        lock_region(region)
        rows = stored.filter(region=region, at__range=(since, learned_at)).order_by("at")
        newest = {TypeKey(row.operating_system, row.instance_type): row for row in rows}
        stored.model.objects.bulk_create(
            [
                stored.model(region_id=region, at=learned_at, **key._asdict(), **values[key])
                for key in sorted(values)
                if not _is_unchanged(newest.get(key), values[key])
            ],
            ignore_conflicts=True,
            batch_size=500,
        )


def _is_unchanged(row: models.Model | None, values: Mapping[str, Any]) -> bool:
    return row is not None and all(getattr(row, name) == values[name] for name in values)
