"""The recorded market: spot prices, on-demand prices and Spot Advisor bands."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

Offer = tuple[str, str]  # region, instance type
Pool = tuple[str, str, str]  # region, zone, instance type

# AWS repeats prices within 42 hours: older ones may no longer be in force.
FRESH = timedelta(days=3)
WEEK = timedelta(days=7)


class Series(NamedTuple):
    """The prices of one pool by time: each is in force until the next."""

    times: list[datetime]
    prices: list[float]  # [USD/h]

    def at(self, moment: datetime) -> float | None:
        """Return the price in force, if one was recorded shortly before. [USD/h]"""
        last = bisect_right(self.times, moment) - 1
        if last < 0 or self.times[last] < moment - FRESH:
            return None
        return self.prices[last]

    def week_before(self, moment: datetime) -> list[float]:
        """Return the prices in force in the 7 days before; [] if some are not recorded. [USD/h]"""
        opening = self.at(moment - WEEK)
        if opening is None:
            return []
        first = bisect_right(self.times, moment - WEEK)
        return [opening, *self.prices[first : bisect_right(self.times, moment)]]


class Advice(NamedTuple):
    """The Spot Advisor's data for one type in one region."""

    band: int
    saving: float  # fraction of the on-demand price, mean of the 30 days before


class Records(NamedTuple):
    """All records, by day or by file."""

    advice: dict[date, dict[Offer, Advice]]
    on_demand: dict[date, dict[Offer, float]]  # [USD/h]
    spot: dict[str, dict[Pool, Series]]  # by file

    def known_advice(self, moment: datetime) -> dict[Offer, Advice]:
        """Return the advice of the newest day that ended by the moment."""
        days = [day for day in self.advice if end_of(day) <= moment]
        return self.advice[max(days)] if days else {}

    def known_on_demand(self, moment: datetime) -> dict[Offer, float]:
        """Return the newest price of each type from days that ended by the moment. [USD/h]"""
        known: dict[Offer, float] = {}
        for day in sorted(self.on_demand):
            if end_of(day) <= moment:
                known.update(self.on_demand[day])
        return known


def end_of(day: date) -> datetime:
    """Return the end of a day, in UTC."""
    return start_of(day) + timedelta(days=1)


def start_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def read_records(data: Path, files: tuple[str, ...]) -> Records:
    """Return the Linux part of the tables below ``data``, with the named spot price files."""
    return Records(
        advice=_advice(data / "spot_advisor/advisor_history.parquet"),
        on_demand=_on_demand(data / "on_demand/regions_2020_2021_2022.parquet"),
        spot={name: _spot(data / f"spot_prices/{name}.parquet") for name in files},
    )


def _advice(path: Path) -> dict[date, dict[Offer, Advice]]:
    days: dict[date, dict[Offer, Advice]] = defaultdict(dict)
    for row in pq.read_table(path).to_pylist():
        # a day's second retrieval ("2022-07-09b") is the same as its first
        if row["os"] == "Linux" and len(row["snapshot_date"]) == len("2022-07-09"):
            offer = (row["region"], row["instance_type"])
            advice = Advice(row["band"], row["savings_pct"] / 100)
            days[date.fromisoformat(row["snapshot_date"])][offer] = advice
    return dict(days)


def _on_demand(path: Path) -> dict[date, dict[Offer, float]]:
    days: dict[date, dict[Offer, float]] = defaultdict(dict)
    for row in pq.read_table(path).to_pylist():
        day = date.fromisoformat(str(row["price_date"])[:10])
        if row["price_usd_hour"] > 0:
            days[day][row["region"], row["instance_type"]] = row["price_usd_hour"]
    return dict(days)


def _spot(path: Path) -> dict[Pool, Series]:
    events: dict[Pool, list[tuple[datetime, float]]] = defaultdict(list)
    for region, zone, name, system, when, price in _spot_rows(path):
        if system in ("Linux/UNIX", "Linux"):
            events[region, zone, name].append((when, price))
    return {pool: _series(each) for pool, each in events.items()}


def _spot_rows(path: Path) -> Iterator[tuple[str, str, str, str, datetime, float]]:
    columns = pq.read_table(path).to_pydict()
    where = (columns["region"], columns["instance_type"], columns["price_usd_hour"])
    if "snapshot_date" in columns:  # snapshots of whole regions have no zones
        for region, name, price, system, day in zip(
            *where, columns["os"], columns["snapshot_date"], strict=True
        ):
            yield region, "", name, system, start_of(date.fromisoformat(day)), price
        return
    rest = (columns["availability_zone"], columns["product_description"], columns["timestamp"])
    for region, name, price, zone, system, when in zip(*where, *rest, strict=True):
        yield region, zone, name, system, when, price


def _series(events: list[tuple[datetime, float]]) -> Series:
    ordered = sorted(events)
    return Series([when for when, _ in ordered], [price for _, price in ordered])
