"""Fetching market data from AWS when it is due. Each step reports what it is about to do."""

from collections.abc import Callable, Container, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime, timedelta
from typing import NamedTuple

from spot_optimizer.aws.client.access import AwsAccess
from spot_optimizer.aws.client.deadline import Deadline
from spot_optimizer.aws.instance_types import comparable_instance_types
from spot_optimizer.aws.on_demand_prices import on_demand_prices
from spot_optimizer.aws.products import Product
from spot_optimizer.aws.spot_advisor import spot_advisor
from spot_optimizer.aws.spot_prices import SpotPriceRow, spot_prices
from spot_optimizer.errors import AwsRefused, AwsTimeout
from spot_optimizer.market import refresh_log
from spot_optimizer.market.ingest.advisor_bands import store_advisor_bands
from spot_optimizer.market.ingest.instance_types import (
    mark_complete,
    store_instance_types,
    watch_types,
)
from spot_optimizer.market.ingest.on_demand_prices import store_on_demand_prices
from spot_optimizer.market.ingest.spot_prices import store_spot_prices
from spot_optimizer.market.models import Comparable, WatchedType
from spot_optimizer.market.refresh_log import ADVISOR, BEGINNING, on_demand

FRESH = timedelta(minutes=5)  # prices that are not older are not fetched again
BACKFILL = timedelta(days=8)  # history of a new type: the engine's seven days, and a reserve
MAX_GAP = timedelta(days=1)  # after a longer gap, a type is backfilled again
# AWS may publish a price a little after the moment from which it is in force.
OVERLAP = timedelta(minutes=10)
TYPES_EVERY = timedelta(days=7)
ON_DEMAND_EVERY = timedelta(days=1)
ADVISOR_EVERY = timedelta(hours=1)
# A backfill is stored in groups of types: the finished groups stay if a later one fails.
TYPES_PER_GROUP = 30
CONCURRENT_GROUPS = 4  # AWS returns a page in about half a second, also to concurrent requests
REPORT_EVERY = 500  # on-demand prices; a page has a hundred

CompleteUntil = Mapping[str, datetime | None]  # watched type: up to when its prices are complete


class RefreshContext(NamedTuple):
    """The arguments that all steps of one refresh share."""

    access: AwsAccess
    zone_ids: Mapping[str, str]
    product: Product
    deadline: Deadline
    now: datetime
    report: Callable[[str], None]

    @property
    def region(self) -> str:
        return self.access.region

    def is_due(self, what: str, every: timedelta) -> bool:
        return refresh_log.is_due(region=self.region, what=what, every=every, now=self.now)

    def valid_since(self, what: str) -> datetime:
        """Return from when on stored values count: the first full refresh, or now if there is none.

        So the first full refresh stores all values again, also those known from older files.
        """
        first = refresh_log.first_full_refresh(region=self.region, what=what, at=self.now)
        return self.now if first == BEGINNING else first

    def complete_until(self, names: Container[str] | None = None) -> CompleteUntil:
        """
        Return up to when the prices of the watched types are complete, of these names or of all.

        The names are filtered in Python: three hundred of them in the query made it ten times
        slower.
        """
        watched = WatchedType.objects.filter(region=self.region, product=self.product.description)
        rows = watched.order_by("instance_type").values_list("instance_type", "until")
        return {name: until for name, until in rows if names is None or name in names}


def refresh_instance_types(context: RefreshContext, comparable: Comparable) -> None:
    """Once a week, fetch the region's comparable types, and watch those offered as spot."""
    architecture, fewest, most = comparable[0], comparable.min_vcpus, comparable.max_vcpus
    product = context.product.description
    what = f"types {architecture} {fewest}-{most} {product}"
    if not context.is_due(what, TYPES_EVERY):
        return
    context.report(
        f"Fetching the {architecture} instance types of {context.region} with "
        f"{fewest} to {most} vCPUs."
    )
    vcpus = _vcpu_counts(fewest, most)
    for facts in comparable_instance_types(
        context.access, architecture=architecture, vcpus=vcpus, deadline=context.deadline
    ):
        store_instance_types(facts, now=context.now)
        spot = [row.name for row in facts if "spot" in row.usage_classes]
        watch_types(region=context.region, product=product, instance_types=spot)
    refresh_log.record_refresh(region=context.region, what=what, now=context.now)


def _vcpu_counts(fewest: int, most: int) -> list[int]:
    """Return the vCPU counts to filter by: AWS accepts 200, and large counts are never odd."""
    step = 1 if most <= 8 else 2 if most <= 256 else 8
    first = -(-fewest // step) * step
    return list(range(first, most + 1, step))


def refresh_on_demand_prices(context: RefreshContext) -> None:
    """Once a day, fetch the on-demand prices of all types of the region."""
    system = context.product.operating_system
    what = on_demand(system)
    if not context.is_due(what, ON_DEMAND_EVERY):
        return
    context.report(f"Fetching the on-demand prices of {context.region} for {system}.")
    fetched = reported = 0
    for prices in on_demand_prices(
        context.access, operating_system=system, deadline=context.deadline
    ):
        store_on_demand_prices(
            region=context.region,
            prices=prices,
            learned_at=context.now,
            since=context.valid_since(what),
        )
        fetched += len(prices)
        if fetched >= reported + REPORT_EVERY:
            reported = fetched
            context.report(f"{fetched} on-demand prices fetched.")
    if fetched > reported:
        context.report(f"{fetched} on-demand prices fetched.")
    refresh_log.record_full_refresh(region=context.region, what=what, now=context.now)


def refresh_advisor_bands(context: RefreshContext) -> None:
    """Once an hour, fetch the Spot Advisor's bands. A failure does not stop the evaluation."""
    if not context.is_due(ADVISOR, ADVISOR_EVERY):
        return
    context.report("Fetching the Spot Advisor's interruption bands.")
    try:
        advisor = spot_advisor(deadline=context.deadline)
    except (AwsRefused, AwsTimeout) as error:
        context.deadline.check()
        context.report(f"The Spot Advisor cannot be read. {error} The stored bands are used.")
        return
    store_advisor_bands(
        region=context.region,
        rows=advisor.rows,
        learned_at=context.now,
        since=context.valid_since(ADVISOR),
    )
    refresh_log.record_full_refresh(region=context.region, what=ADVISOR, now=context.now)


def backfill_prices(context: RefreshContext, complete_until: CompleteUntil) -> bool:
    """
    Fetch eight days of prices of those types that have none, or whose prices ended too long ago.

    Return whether there were any.
    """
    recent = _recent(context, complete_until)
    names = [name for name in complete_until if name not in recent]
    if not names:
        return False
    context.report(
        f"Fetching {BACKFILL.days} days of spot prices of {len(names)} instance types in "
        f"{context.region} that have no recent prices."
    )
    since, done, fetched = context.now - BACKFILL, 0, 0
    groups = [names[i : i + TYPES_PER_GROUP] for i in range(0, len(names), TYPES_PER_GROUP)]
    for group, prices in _fetch_groups(context, groups, since):
        _store(context, group, prices, since)
        done, fetched = done + len(group), fetched + len(prices)
        context.report(f"{fetched} spot prices fetched, {done} of {len(names)} types done.")
    return True


def _fetch_groups(
    context: RefreshContext, groups: list[list[str]], since: datetime
) -> Iterator[tuple[list[str], list[SpotPriceRow]]]:
    """Yield each group of types with its prices, in order of completion. The threads only fetch."""
    with ThreadPoolExecutor(max_workers=CONCURRENT_GROUPS) as pool:
        futures = {pool.submit(_fetch, context, group, since): group for group in groups}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def fetch_new_prices(
    context: RefreshContext, complete_until: CompleteUntil, *, fresh: timedelta = FRESH
) -> bool:
    """Fetch the prices since the last refresh; return False if that is at most ``fresh`` ago."""
    recent = _recent(context, complete_until)
    oldest = min(recent.values(), default=context.now)
    if oldest >= context.now - fresh:
        return False
    context.report(f"Fetching the spot prices of {context.region} since {oldest:%H:%M} UTC.")
    since = oldest - OVERLAP
    _store(context, list(recent), _fetch(context, list(recent), since), since)
    return True


def _recent(context: RefreshContext, complete_until: CompleteUntil) -> dict[str, datetime]:
    start = context.now - MAX_GAP
    return {name: until for name, until in complete_until.items() if until and until >= start}


def _fetch(
    context: RefreshContext, instance_types: list[str], since: datetime
) -> list[SpotPriceRow]:
    pages = spot_prices(
        context.access,
        instance_types=instance_types,
        products=[context.product.description],
        zone_ids=context.zone_ids,
        since=since,
        deadline=context.deadline,
    )
    return [price for page in pages for price in page]


def _store(
    context: RefreshContext, instance_types: list[str], prices: list[SpotPriceRow], since: datetime
) -> None:
    """Store all prices of these types since then, and mark them complete."""
    store_spot_prices(region=context.region, prices=prices, since=since, until=context.now)
    mark_complete(
        region=context.region,
        product=context.product.description,
        instance_types=instance_types,
        until=context.now,
    )
