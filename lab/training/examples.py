"""Training examples: features at a moment, labels from a month that begins after it."""

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lab.training.records import Offer, Records, end_of, start_of
from spot_optimizer.engine.features import Features, compute_features

WINDOW = timedelta(days=30)  # a Spot Advisor band describes the 30 days before its day
ADVISOR = "advisor"  # source name: the Advisor's savings instead of recorded spot prices


class Pools(NamedTuple):
    """
    The prices of one region's pools at a moment; lists of equal length, one entry per pool.

    Prices are in USD/h, or fractions of the on-demand price for the source ``ADVISOR``.
    """

    types: list[str]
    prices: list[float]
    lows: list[float]
    highs: list[float]
    on_demand: list[float]


class Examples(NamedTuple):
    """
    Pools at one moment with their labels; n pools.

    ``features`` holds arrays of shape (n,), ``band_after`` (n,) the Spot Advisor band, 0 to 4, of
    the 30 days before ``label_day``, all of which lie after ``moment``.
    """

    source: str
    moment: datetime
    label_day: date
    offers: list[Offer]
    features: Features
    band_after: NDArray[np.int8]


def examples_at(records: Records, source: str, moment: datetime) -> Examples:
    """
    Return the pools of a source (a file of spot prices, or ``ADVISOR``) at a moment.

    Pools without a band before or after the moment are left out: the models need the first, the
    scores the second.

    :raises ValueError: if no band of a month after the moment is recorded
    """
    offers, features = features_at(records, source, moment)
    label_day, bands = bands_after(records, offers, moment)
    is_usable = (features.advisor_band >= 0) & (bands >= 0)
    return Examples(
        source=source,
        moment=moment,
        label_day=label_day,
        offers=[offer for offer, usable in zip(offers, is_usable, strict=True) if usable],
        features=Features._make(column[is_usable] for column in features),
        band_after=bands[is_usable],
    )


def features_at(records: Records, source: str, moment: datetime) -> tuple[list[Offer], Features]:
    """Return the features of a source's pools, using only records from before the moment."""
    advice = records.known_advice(moment)
    offers: list[Offer] = []
    parts = []
    for region, pools in sorted(_pools(records, source, moment).items()):
        here = [(region, name) for name in pools.types]
        bands = [advice[offer].band if offer in advice else -1 for offer in here]
        families = [name.partition(".")[0] for name in pools.types]
        parts.append(
            compute_features(
                band=np.array(bands, dtype=np.int8),
                price=np.array(pools.prices, dtype=np.float64),
                low_7d=np.array(pools.lows, dtype=np.float64),
                high_7d=np.array(pools.highs, dtype=np.float64),
                on_demand_price=np.array(pools.on_demand, dtype=np.float64),
                family=np.unique(families, return_inverse=True)[1],
            )
        )
        offers += here
    return offers, joined(parts)


def bands_after(
    records: Records, offers: list[Offer], moment: datetime
) -> tuple[date, NDArray[np.int8]]:
    """
    Return the first day whose 30 days lie after the moment, and its bands; -1 where unknown.

    :raises ValueError: if there is no such day
    """
    days = [day for day in records.advice if start_of(day) - WINDOW >= moment]
    if not days:
        raise ValueError(f"moment: no band of 30 days after {moment:%Y-%m-%d} is recorded")
    advice = records.advice[min(days)]
    bands = [advice[offer].band if offer in advice else -1 for offer in offers]
    return min(days), np.array(bands, dtype=np.int8)


def joined(parts: list[Features]) -> Features:
    """Concatenate features; arrays of shape (pools of all parts,)."""
    return Features._make(np.concatenate(column) for column in zip(*parts, strict=True))


def weights_of(groups: list[Examples]) -> NDArray[np.float64]:
    """Return the weight of each example, shape (n,): examples that share a label sum to 1."""
    labels = [(*offer, each.label_day) for each in groups for offer in each.offers]
    shared = Counter(labels)
    return np.array([1 / shared[label] for label in labels])


def _pools(records: Records, source: str, moment: datetime) -> dict[str, Pools]:
    regions: dict[str, Pools] = defaultdict(lambda: Pools([], [], [], [], []))
    if source == ADVISOR:
        for (region, name), advice in sorted(records.known_advice(moment).items()):
            # A saving of 100 % means that the Advisor has no data.
            price = 1 - advice.saving if advice.saving < 1 else np.nan
            _add(regions[region], name, price=price, week=[], on_demand=1.0)
        return regions
    on_demand = records.known_on_demand(moment)
    for (region, _, name), series in sorted(records.spot[source].items()):
        price_now = series.at(moment)
        if price_now is not None:
            _add(
                regions[region],
                name,
                price=price_now,
                week=series.week_before(moment),
                on_demand=on_demand.get((region, name), np.nan),
            )
    return regions


def _add(pools: Pools, name: str, *, price: float, week: list[float], on_demand: float) -> None:
    pools.types.append(name)
    pools.prices.append(price)
    pools.lows.append(min(week, default=np.nan))
    pools.highs.append(max(week, default=np.nan))
    pools.on_demand.append(on_demand)


def weekly(first: date, last: date) -> list[datetime]:
    """Return the ends of every seventh day, from the first to the last."""
    return [end_of(first + timedelta(days=n)) for n in range(0, (last - first).days + 1, 7)]
