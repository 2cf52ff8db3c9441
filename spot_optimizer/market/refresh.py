"""What is fetched from AWS, and when it is due. Each step says what it does before it does it."""

from collections.abc import Callable, Container, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime, timedelta
from typing import NamedTuple

from spot_optimizer.aws.advisor import spot_advisor
from spot_optimizer.aws.clients import AwsAccess
from spot_optimizer.aws.deadline import Deadline
from spot_optimizer.aws.instance_types import comparable_types
from spot_optimizer.aws.on_demand import on_demand_prices
from spot_optimizer.aws.prices import SpotPrice, spot_prices
from spot_optimizer.aws.products import Product
from spot_optimizer.errors import AwsRefused, AwsTimeout
from spot_optimizer.market import ingest
from spot_optimizer.market.arrays import Comparable
from spot_optimizer.market.models import Refresh, WatchedType
from spot_optimizer.market.refresh_log import ADVISOR, BEGINNING, asked_since, on_demand

FRESH = timedelta(minutes=5)  # so long nothing is asked again
HISTORY = timedelta(days=8)  # what a new region's prices begin with: a week, and room
TOO_OLD = timedelta(days=1)  # what was left alone for longer begins anew
# AWS may publish a price a little after the moment it is in force from.
OVERLAP = timedelta(minutes=10)
TYPES_EVERY = timedelta(days=7)
ON_DEMAND_EVERY = timedelta(days=1)
ADVISOR_EVERY = timedelta(hours=1)
# The price history of so many types is fetched, and then kept whatever happens next.
TYPES_AT_A_TIME = 30
TELL_EVERY = 500  # on-demand prices; a page has a hundred
GROUPS_AT_ONCE = 4  # AWS answers a page in about half a second, whoever else asks

Reached = Mapping[str, datetime | None]  # a watched type, and up to when its prices are complete


class Errand(NamedTuple):
    """One trip to AWS: with what, for which product, until when, and whom to tell."""

    access: AwsAccess
    zone_ids: Mapping[str, str]
    product: Product
    deadline: Deadline
    now: datetime
    report: Callable[[str], None]

    @property
    def region(self) -> str:
        return self.access.region

    def reached(self, names: Container[str] | None = None) -> Reached:
        """
        Return up to when the prices of what is watched are complete, of these types or of all.

        The names are no part of the statement: three hundred there cost it ten times as much.
        """
        watched = WatchedType.objects.filter(region=self.region, product=self.product.description)
        rows = watched.order_by("instance_type").values_list("instance_type", "until")
        return {name: until for name, until in rows if names is None or name in names}


def fetch_types(errand: Errand, comparable: Comparable) -> None:
    """Learn once a week which comparable types the region offers, and watch those sold as spot."""
    product = errand.product.description
    what = f"types {comparable.architecture} {comparable.fewest}-{comparable.most} {product}"
    if not _is_due(errand, what, TYPES_EVERY):
        return
    errand.report(
        f"Fetching the {comparable.architecture} instance types of {errand.region} with "
        f"{comparable.fewest} to {comparable.most} vCPUs."
    )
    for facts in comparable_types(
        errand.access,
        architecture=comparable.architecture,
        vcpus=_counts(comparable),
        deadline=errand.deadline,
    ):
        ingest.store_types(facts, now=errand.now)
        spot = [this.name for this in facts if "spot" in this.usage_classes]
        ingest.watch(region=errand.region, product=product, instance_types=spot)
    ingest.note_refresh(region=errand.region, what=what, now=errand.now)


def _counts(comparable: Comparable) -> list[int]:
    """Return the counts of vCPUs to ask for: AWS takes 200 values, and there are no odd ones."""
    step = 1 if comparable.most <= 8 else 2 if comparable.most <= 256 else 8
    first = -(-comparable.fewest // step) * step
    return list(range(first, comparable.most + 1, step))


def fetch_on_demand(errand: Errand) -> None:
    """Learn once a day what the region's types cost on demand."""
    system = errand.product.operating_system
    what = on_demand(system)
    if not _is_due(errand, what, ON_DEMAND_EVERY):
        return
    errand.report(f"Fetching the on-demand prices of {errand.region} for {system}.")
    fetched = told = 0
    for prices in on_demand_prices(
        errand.access, operating_system=system, deadline=errand.deadline
    ):
        ingest.store_on_demand(
            region=errand.region,
            prices=prices,
            learned_at=errand.now,
            since=_since(errand, what),
        )
        fetched += len(prices)
        if fetched >= told + TELL_EVERY:
            told = fetched
            errand.report(f"{fetched} on-demand prices fetched.")
    if fetched > told:
        errand.report(f"{fetched} on-demand prices fetched.")
    ingest.note_all_told(region=errand.region, what=what, now=errand.now)


def fetch_advisor(errand: Errand) -> None:
    """Learn once an hour what the Spot Advisor says. An evaluation can do without it."""
    if not _is_due(errand, ADVISOR, ADVISOR_EVERY):
        return
    errand.report("Fetching the Spot Advisor's interruption bands.")
    try:
        advisor = spot_advisor(deadline=errand.deadline)
    except (AwsRefused, AwsTimeout) as refusal:
        errand.deadline.check()
        errand.report(f"The Spot Advisor cannot be read. {refusal} What was known before is used.")
        return
    ingest.store_advisor(
        region=errand.region,
        rows=advisor.rows,
        learned_at=errand.now,
        since=_since(errand, ADVISOR),
    )
    ingest.note_all_told(region=errand.region, what=ADVISOR, now=errand.now)


def fetch_first_prices(errand: Errand, reached: Reached) -> bool:
    """
    Fetch a week of prices of those types that have none, or that were left alone too long.

    Return whether there were any.
    """
    known = _known(errand, reached)
    names = [name for name in reached if name not in known]
    if not names:
        return False
    errand.report(
        f"Fetching {HISTORY.days} days of spot prices of {len(names)} instance types in "
        f"{errand.region}: they are new here."
    )
    since, done, fetched = errand.now - HISTORY, 0, 0
    groups = [names[i : i + TYPES_AT_A_TIME] for i in range(0, len(names), TYPES_AT_A_TIME)]
    for group, prices in _several_at_once(errand, groups, since):
        _store(errand, group, prices, since)
        done, fetched = done + len(group), fetched + len(prices)
        errand.report(f"{fetched} spot prices fetched, {done} of {len(names)} types done.")
    return True


def _several_at_once(
    errand: Errand, groups: list[list[str]], since: datetime
) -> Iterator[tuple[list[str], list[SpotPrice]]]:
    """Yield each group of types with its prices, as they come. Threads fetch and do no more."""
    with ThreadPoolExecutor(max_workers=GROUPS_AT_ONCE) as pool:
        asked = {pool.submit(_prices, errand, group, since): group for group in groups}
        try:
            for answer in as_completed(asked):
                yield asked[answer], answer.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def fetch_news(errand: Errand, reached: Reached, *, fresh: timedelta = FRESH) -> bool:
    """Fetch the prices since the last time, if that was longer ago than ``fresh``: was it?"""
    known = _known(errand, reached)
    oldest = min(known.values(), default=errand.now)
    if oldest >= errand.now - fresh:
        return False
    errand.report(f"Fetching the spot prices of {errand.region} since {oldest:%H:%M} UTC.")
    since = oldest - OVERLAP
    _store(errand, list(known), _prices(errand, list(known), since), since)
    return True


def _known(errand: Errand, reached: Reached) -> dict[str, datetime]:
    begin = errand.now - TOO_OLD
    return {name: until for name, until in reached.items() if until is not None and until >= begin}


def _prices(errand: Errand, instance_types: list[str], since: datetime) -> list[SpotPrice]:
    pages = spot_prices(
        errand.access,
        instance_types=instance_types,
        products=[errand.product.description],
        zone_ids=errand.zone_ids,
        since=since,
        deadline=errand.deadline,
    )
    return [price for page in pages for price in page]


def _store(
    errand: Errand, instance_types: list[str], prices: list[SpotPrice], since: datetime
) -> None:
    """Store what is complete: all prices of these types since then."""
    ingest.store_prices(region=errand.region, prices=prices, since=since, until=errand.now)
    ingest.reach(
        region=errand.region,
        product=errand.product.description,
        instance_types=instance_types,
        until=errand.now,
    )


def _since(errand: Errand, what: str) -> datetime:
    """Return from when on AWS tells this: the first time all is stored, known from files or not."""
    since = asked_since(region=errand.region, what=what, at=errand.now)
    return errand.now if since == BEGINNING else since


def _is_due(errand: Errand, what: str, every: timedelta) -> bool:
    fresh = Refresh.objects.filter(
        region=errand.region, what=what, refreshed_at__gt=errand.now - every
    )
    return not fresh.exists()
