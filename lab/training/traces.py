"""Recorded availability traces: which pools were lost within the hour after a moment."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lab.training.examples import joined
from lab.training.records import Offer, Records, start_of
from spot_optimizer.engine.features import Features, compute_features

HOUR, DAY = 3600, 86_400  # [s]
SAMPLING_INTERVAL = 900  # [s]


class Trace(NamedTuple):
    """One pool over time; arrays of shape (ticks,)."""

    name: str
    offer: Offer
    started: date
    seconds: NDArray[np.int64]  # since the collection began
    up: NDArray[np.bool_]
    price: NDArray[np.float64]  # [USD/h] nan: not recorded


class Facts(NamedTuple):
    """Data from before one region's traces began; arrays of shape (traces,)."""

    band: NDArray[np.int8]
    on_demand: NDArray[np.float64]  # [USD/h]
    family: NDArray[np.intp]


class Hours(NamedTuple):
    """Pools that were up at a moment, and whether each was lost within an hour; shape (n,)."""

    features: Features
    lost: NDArray[np.bool_]
    trace: NDArray[np.intp]  # index of its trace


def read_traces(path: Path) -> dict[str, list[Trace]]:
    """Return the AWS traces by collection and region: those of one group share their ticks."""
    table = pq.read_table(path, filters=[("cloud", "=", "aws")]).sort_by("tick")
    names = np.array(table["trace_id"].to_pylist())
    groups: dict[str, list[Trace]] = defaultdict(list)
    for name in np.unique(names):
        trace = _trace(str(name), table.take(np.flatnonzero(names == name)))
        groups[f"{name.rpartition('/')[0]} {trace.offer[0]}"].append(trace)
    return dict(groups)


def hours_of(records: Records, groups: dict[str, list[Trace]]) -> Hours:
    """
    Return every pool that was up, each quarter of an hour; the last hour has no label.

    Pools without a band are left out: the models need it.
    """
    parts: list[tuple[Features, bool, str]] = []
    for traces in groups.values():
        facts = facts_of(records, traces)
        for moment in range(0, int(traces[0].seconds[-1]) - HOUR, SAMPLING_INTERVAL):
            parts += _hour(facts, traces, moment)
    features, lost, names = zip(*parts, strict=True)
    return Hours(
        joined(list(features)),
        np.array(lost),
        np.unique(names, return_inverse=True)[1],
    )


def facts_of(records: Records, traces: list[Trace]) -> Facts:
    """Return the data on the traces' types from before the day their collection began."""
    known_at = start_of(min(trace.started for trace in traces))
    advice, on_demand = records.known_advice(known_at), records.known_on_demand(known_at)
    bands = [advice[t.offer].band if t.offer in advice else -1 for t in traces]
    families = [trace.offer[1].partition(".")[0] for trace in traces]
    return Facts(
        band=np.array(bands, dtype=np.int8),
        on_demand=np.array([on_demand.get(trace.offer, np.nan) for trace in traces]),
        family=np.unique(families, return_inverse=True)[1],
    )


def features_then(facts: Facts, traces: list[Trace], moment: int) -> Features:
    """
    Return the features of one region's traces, using only ticks up to the moment. [s]

    A trace is shorter than 7 days: the price range is that of the ticks until the moment, from the
    second day on.
    """
    past = [_past(trace, moment) for trace in traces]
    return compute_features(
        band=facts.band,
        price=np.array([prices[-1] for prices in past]),
        low_7d=_extreme(np.min, past, moment),
        high_7d=_extreme(np.max, past, moment),
        on_demand_price=facts.on_demand,
        family=facts.family,
    )


def lost_within_the_hour(trace: Trace, moment: int) -> bool | None:
    """Return whether a pool that is up is lost within the next hour; None if it is not up."""
    now = int(np.searchsorted(trace.seconds, moment, side="right"))
    end = int(np.searchsorted(trace.seconds, moment + HOUR, side="right"))
    if now == 0 or end == len(trace.seconds) or not trace.up[now - 1]:
        return None
    return not bool(trace.up[now:end].all())


def _hour(facts: Facts, traces: list[Trace], moment: int) -> Iterator[tuple[Features, bool, str]]:
    features = features_then(facts, traces, moment)
    for i, trace in enumerate(traces):
        lost = lost_within_the_hour(trace, moment)
        if lost is not None and facts.band[i] >= 0:
            one = Features._make(column[i : i + 1] for column in features)
            yield one, lost, trace.name


def _past(trace: Trace, moment: int) -> NDArray[np.float64]:
    first = int(np.searchsorted(trace.seconds, moment - 7 * DAY))
    last = int(np.searchsorted(trace.seconds, moment, side="right"))
    return trace.price[first:last] if last else np.array([np.nan])


def _extreme(of: Any, past: list[NDArray[np.float64]], moment: int) -> NDArray[np.float64]:
    if moment < DAY:
        return np.full(len(past), np.nan)
    return np.array([of(prices) for prices in past])


def _trace(name: str, ticks: Any) -> Trace:
    first = ticks.slice(0, 1).to_pylist()[0]
    return Trace(
        name=name,
        offer=(first["availability_zone"][:-1], first["instance_type"]),
        started=date.fromisoformat(first["collection_start"]),
        seconds=ticks["elapsed_seconds"].to_numpy().astype(np.int64),
        up=ticks["available"].to_numpy(),
        price=ticks["price_usd_hour"].to_numpy(),
    )
