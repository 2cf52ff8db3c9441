"""
Forty decisions recorded in an earlier release must be equal byte for byte.

Together they have every action, cause, rejection reason, setting and kind of model. After an
intended change of a number or text, record them again; stored experiments then replay differently.
"""

import gzip
import json
from pathlib import Path

import pytest

from lab.decisions.decision import decide
from lab.registry.artifacts import LoadedModel
from lab.registry.selection import ModelChoice
from spot_optimizer.aws.products import NoPrices
from spot_optimizer.engine import pipeline
from spot_optimizer.engine.serialization import (
    deserialize_inputs,
    hash_of_serialized,
    serialize_decision,
    serialize_inputs,
)

RECORDS = [
    json.loads(line)
    for line in gzip.decompress(
        (Path(__file__).parent / "recorded_decisions.jsonl.gz").read_bytes()
    ).splitlines()
]
DECIDED = [record for record in RECORDS if not record["refused"]]
REFUSED = [record for record in RECORDS if record["refused"]]


def inputs_of(record):
    return deserialize_inputs(record["inputs"].encode())


def result_of(record):
    inputs = inputs_of(record)
    model = LoadedModel(inputs.model, *record["model"])
    return decide(
        inputs,
        model_choice=ModelChoice(model, record["fallback"]),
        zone_names=record["zone_names"],
    )


def as_text(value):
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


@pytest.mark.parametrize("record", RECORDS)
def test_inputs_are_serialized_to_the_recorded_bytes_and_hash(record):
    serialized = serialize_inputs(inputs_of(record))

    assert serialized.decode() == record["inputs"]
    assert hash_of_serialized(serialized) == record["hash"]


@pytest.mark.parametrize("record", RECORDS)
def test_the_engine_returns_the_recorded_decision(record):
    decision = pipeline.decide(inputs_of(record))

    assert serialize_decision(decision).decode() == record["decision"]


@pytest.mark.parametrize("record", DECIDED)
def test_the_api_body_and_all_pools_are_as_recorded(record):
    result = result_of(record)
    for step in result.body["trace"]:
        assert step.pop("ms") >= 0

    assert as_text(result.body) == record["body"]
    assert as_text(result.pools) == record["pools"]
    assert result.serialized_inputs.decode() == record["inputs"]


@pytest.mark.parametrize("record", REFUSED)
def test_an_unknown_own_price_is_refused_as_recorded(record):
    with pytest.raises(NoPrices, match=r"is not known at that time"):
        result_of(record)
