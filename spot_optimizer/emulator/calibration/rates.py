"""Fits the on-demand rates: the price of a unit in each family, and a factor for each region."""

from collections import defaultdict
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from moto.ec2.models.instance_types import INSTANCE_TYPES
from numpy.typing import NDArray

from spot_optimizer.emulator.market.prices import gpus, vcpus

Prices = dict[str, float]  # by type, [USD/h]

REGIONS = ("us-east-1", "eu-west-1", "ap-south-1")
WORST = 0.15  # a family that misses the median of its types by more is left out


def recorded_prices(data: Path) -> dict[str, Prices]:
    """Return the latest recorded on-demand price of each type, by region."""
    found: dict[str, Prices] = {region: {} for region in REGIONS}
    regions = pq.read_table(data / "on_demand/regions_2025_reconstructed.parquet").to_pylist()
    for row in regions:
        if row["region"] in REGIONS and row["quality"] != "inferred":
            found[row["region"]][row["instance_type"]] = row["price_usd_hour"]
    history = pq.read_table(data / "on_demand/us_east_1_gov_cn_history.parquet").to_pylist()
    for row in sorted(history, key=lambda row: row["price_date"]):
        if row["region"] == "us-east-1":
            found["us-east-1"][row["instance_type"]] = row["price_hour"]
    return found


def fit_families(recorded: dict[str, Prices]) -> dict[str, list[Any]]:
    """Return the fields of ``FamilyRates`` of each family that a straight line describes."""
    members = defaultdict(list)
    for name in recorded["us-east-1"]:
        if name in INSTANCE_TYPES:
            members[name.partition(".")[0]].append(name)
    families = {}
    for family, names in sorted(members.items()):
        fits = [_fit(names, recorded["us-east-1"], by_memory) for by_memory in (False, True)]
        error, by_memory, per_unit, per_gpu = min(fits)
        if error <= WORST:
            regions = _factors(names, recorded)
            families[family] = [round(per_unit, 7), round(per_gpu, 6), by_memory, regions]
    return families


def _fit(names: list[str], prices: Prices, by_memory: bool) -> tuple[float, bool, float, float]:  # noqa: FBT001
    facts = [INSTANCE_TYPES[name] for name in names]
    units = [f["MemoryInfo"]["SizeInMiB"] / 1024 if by_memory else vcpus(f) for f in facts]
    price = np.array([prices[name] for name in names])
    # Columns relative to the price: a fit of relative errors, so that small types count.
    design = np.array([units, [gpus(f) for f in facts]], float).T / price[:, None]
    per_gpu_useful = np.linalg.matrix_rank(design) == 2
    rates = np.zeros(2)
    columns = [0, 1] if per_gpu_useful else [0]
    rates[columns] = _usual(design[:, columns])
    # Rounded, so that a tie is decided for vCPUs.
    error = round(float(np.mean(np.abs(design @ rates - 1))), 4)
    return error, by_memory, float(rates[0]), float(rates[1])


def _usual(design: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rates that most types follow; outliers, such as metal sizes, are ignored."""
    # The best line goes through as many types as it has rates, so all such lines are tried.
    size = design.shape[1]
    ones = np.ones(size)
    lines = [
        np.linalg.solve(design[list(through)], ones).astype(np.float64)
        for through in combinations(range(len(design)), size)
        if np.linalg.matrix_rank(design[list(through)]) == size
    ]
    return min(lines, key=lambda rates: float(np.sqrt(np.abs(design @ rates - 1)).sum()))


def _factors(names: list[str], recorded: dict[str, Prices]) -> dict[str, float]:
    home = recorded["us-east-1"]
    factors = {}
    for region in REGIONS:
        ratios = [recorded[region][n] / home[n] for n in names if n in recorded[region]]
        if ratios:
            factors[region] = round(float(np.median(ratios)), 4)
    return factors
