"""
Measures the replay of a thousand stored experiments, and checks that their results are equal.

    .venv/bin/python bench/replay.py        # after an evaluation, in the quick start's database

Varies prices, preferences, mode, signal and model of the newest experiment, stores the engine's
decision of each variation, and replays all with `manage.py replay --last`. Everything is done in
one transaction, which is rolled back.
"""

import argparse
import os
import sys
import time
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import django
import numpy as np

ROOT = Path(__file__).resolve().parents[1]


def main(count: int) -> None:
    from django.core.management import call_command
    from django.db import transaction

    from lab.models import ExperimentLog

    newest = ExperimentLog.objects.first()
    if newest is None:
        sys.exit("No experiment is stored. Evaluate an instance first.")
    with transaction.atomic():
        hashes = store(newest, count)
        began = time.perf_counter()
        call_command("replay", last=count)
        seconds = time.perf_counter() - began
        transaction.set_rollback(True)
    print(f"{count} replays, {len(hashes)} different inputs, {seconds:.1f} s")  # noqa: T201


def store(newest: Any, count: int) -> set[str]:
    """Store ``count`` variations of an experiment; return the hashes of their inputs."""
    from django.utils import timezone

    from lab.experiments.log import log_experiment
    from spot_optimizer.engine.pipeline import decide
    from spot_optimizer.engine.serialization import (
        deserialize_inputs,
        hash_of_serialized,
        serialize_inputs,
    )

    base = deserialize_inputs(zlib.decompress(newest.inputs))
    generator, hashes = np.random.default_rng(8), set()
    for number in range(count):
        inputs = varied(base, number, generator)
        serialized = serialize_inputs(inputs)
        body = {
            "model": {"id": newest.model_id, "name": newest.model_name, "version": "varied"},
            "model_fallback": None,
            "pipeline_mode": inputs.stages.pipeline_mode,
            "inputs_hash": hash_of_serialized(serialized),
            "trace": [],
        }
        hashes.add(body["inputs_hash"])
        log_experiment(
            evaluation_id=uuid4(),
            owner=newest.owner,
            instance_id=newest.instance_id,
            outcome=decide(inputs),
            inputs=serialized,
            body=body,
            now=timezone.now(),
        )
    return hashes


def varied(base: Any, number: int, generator: np.random.Generator) -> Any:
    import json

    from lab.registry.artifacts import SHIPPED
    from spot_optimizer.engine.hazard.artifact import parse_model

    market = replace(
        base.market,
        spot_price=base.market.spot_price
        * generator.uniform(0.9, 1.1, len(base.market.spot_price)),
    )
    artifacts = sorted(SHIPPED.glob("*.json"))
    artifact = json.loads(artifacts[number % len(artifacts)].read_text())
    return replace(
        base,
        market=market,
        model=parse_model(artifact),
        signal=("NONE", "REBALANCE", "TERMINATION")[number % 3],
        stages=base.stages._replace(
            pipeline_mode=("CLUSTER_FULL", "SINGLE_LINEAR")[number // 3 % 2]
        ),
        preferences=base.preferences._replace(
            downtime_usd_per_hour=float(number % 7), allow_smaller=bool(number % 2)
        ),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--count", type=int, default=1000)
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spot_optimizer.settings")
    django.setup()
    main(parser.parse_args().count)
