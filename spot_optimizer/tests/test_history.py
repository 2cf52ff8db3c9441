"""Evaluations on recorded prices, without AWS."""

import json
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

HISTORY = settings.BASE_DIR.parent / "shared" / "data"
FILES = [
    "spot_prices/us_east_1_2021.parquet",
    "spot_prices/gpu_p2_p3_2020.parquet",
    "on_demand",
    "spot_advisor/2021-02-10.json.gz",
    "instance_types",
]


@pytest.fixture(scope="module")
def history(django_db_setup, django_db_blocker):
    from sandbox.testing import forget_market

    with django_db_blocker.unblock():
        for file in FILES:
            call_command("import_prices", str(HISTORY / file), stdout=StringIO())
    yield
    with django_db_blocker.unblock():
        forget_market()


def evaluate(instance_type, zone, as_of):
    output = StringIO()
    call_command(
        "evaluate",
        region="us-east-1",
        type=instance_type,
        zone=zone,
        as_of=as_of,
        json=True,
        stdout=output,
    )
    return json.loads(output.getvalue())


@pytest.mark.skipif(not HISTORY.is_dir(), reason=f"the price history is not at {HISTORY.name}")
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("instance_type", "zone", "as_of", "decision"),
    [
        ("m5.large", "us-east-1a", "2021-04-20", {"STAY", "SWITCH"}),
        ("c5.xlarge", "us-east-1b", "2021-04-20T12:00:00Z", {"STAY", "SWITCH"}),
        # There is no Advisor data for that time, so the risk is unknown, and the decision is STAY.
        ("p3.2xlarge", "us-east-1c", "2020-02-01", {"STAY"}),
    ],
)
def test_decides_on_real_prices(history, instance_type, zone, as_of, decision):
    first, second = (evaluate(instance_type, zone, as_of) for _ in range(2))

    assert first["decision"] in decision
    assert first["current"]["instance_type"] == instance_type
    assert 0 < first["current"]["price"] <= first["current"]["on_demand_price"]
    assert first["market_as_of"].startswith(as_of[:10])
    counts = first["counts"]
    assert counts["considered"] == counts["kept"] + sum(counts["rejected"].values())
    assert first["inputs_hash"] == second["inputs_hash"]
    assert first["candidates"] == second["candidates"]


@pytest.mark.django_db
def test_unknown_pools_are_an_error():
    with pytest.raises(CommandError, match="import_prices"):
        evaluate("m9.unheard", "us-east-1a", "2021-04-20")


@pytest.mark.django_db
@pytest.mark.parametrize("as_of", ["yesterday", "2021-13-01"])
def test_an_invalid_time_is_an_error(as_of):
    with pytest.raises(CommandError, match="not a time"):
        evaluate("m5.large", "us-east-1a", as_of)
