"""
Fit the emulator to recorded prices, and print how the model compares with them.

    python -m spot_optimizer.emulator.calibration ../shared/data           # compare
    python -m spot_optimizer.emulator.calibration ../shared/data --write   # refit, then compare
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from moto.ec2.models.instance_types import INSTANCE_TYPES

from spot_optimizer.emulator.calibration.parameters import market_parameters
from spot_optimizer.emulator.calibration.rates import fit_families, recorded_prices
from spot_optimizer.emulator.calibration.recorded import (
    PoolName,
    Series,
    on_demand_then,
    recorded_bands,
    recorded_series,
)
from spot_optimizer.emulator.calibration.statistics import statistics
from spot_optimizer.emulator.market import fitted
from spot_optimizer.emulator.market.price_model import Market, Pool
from spot_optimizer.emulator.market.prices import on_demand_price

SEEDS = (1, 2, 3)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder with spot_prices/ and on_demand/")
    parser.add_argument("--write", action="store_true", help="refit and write fitted.json")
    options = parser.parse_args()
    recorded = recorded_series(options.data)
    on_demand = on_demand_then(options.data)
    if options.write:
        fitted.PATH.write_text(_fit(options.data, recorded, on_demand))
    real = statistics(recorded, on_demand)
    modelled = [statistics(_model(seed, recorded, on_demand), on_demand) for seed in SEEDS]
    _print(f"{'us-east-1, 817 Linux pools':52}{'real':>10}{'model':>10}{'(3 seeds)':>22}")
    for name, figure in real.items():
        found = [one[name] for one in modelled]
        spread = f"{min(found):.3f} to {max(found):.3f}"
        _print(f"{name:52}{figure:10.3f}{np.mean(found):10.3f}{spread:>22}")
    for line in _on_demand_report(options.data):
        _print(line)
    return 0


def _fit(data: Path, recorded: dict[PoolName, Series], on_demand: dict[str, float]) -> str:
    families = fit_families(recorded_prices(data))
    market = market_parameters(recorded, on_demand, recorded_bands(data))
    rows = ",\n".join(f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in families.items())
    numbers: dict[str, Any] = market
    values = ",\n".join(f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in numbers.items())
    return f'{{\n  "market": {{\n{values}\n  }},\n  "families": {{\n{rows}\n  }}\n}}\n'


def _model(
    seed: int, recorded: dict[PoolName, Series], on_demand: dict[str, float]
) -> dict[PoolName, Series]:
    """Return the modelled prices of the same pools in the same weeks."""
    names = list(recorded)
    pools = [
        Pool("us-east-1", zone, kind, "Linux/UNIX", _price(recorded, zone, kind, on_demand), 0.0)
        for zone, kind in names
    ]
    start = min(pool.times[0] for pool in recorded.values())
    end = max(pool.times[-1] for pool in recorded.values())
    rows = Market(seed, fitted.market_fit()).rows(pools, start, end)
    return {
        name: Series(rows.time[rows.pool == i].astype(float), rows.price[rows.pool == i])
        for i, name in enumerate(names)
    }


def _price(
    recorded: dict[PoolName, Series], zone: str, kind: str, on_demand: dict[str, float]
) -> float:
    # A few retired types have no known on-demand price; three times the spot price is used instead.
    return on_demand.get(kind) or 3 * float(np.median(recorded[zone, kind].prices))


def _on_demand_report(data: Path) -> list[str]:
    lines = ["", "On-demand prices: error of the fitted rates"]
    for region, prices in recorded_prices(data).items():
        known = {name: INSTANCE_TYPES[name] for name in prices if name in INSTANCE_TYPES}
        modelled = {name: on_demand_price(facts, region) for name, facts in known.items()}
        priced = {name: price for name, price in modelled.items() if price is not None}
        errors = 100 * np.array([abs(p / prices[n] - 1) for n, p in priced.items()])
        lines.append(
            f"{region:12} {len(errors)} of {len(prices)} types: median {np.median(errors):.4f} %, "
            f"90th percentile {np.percentile(errors, 90):.2f} %, "
            f"within 1 %: {100 * np.mean(errors < 1):.1f} %"
        )
    return lines


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
