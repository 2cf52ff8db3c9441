from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from spot_optimizer.emulator.tests.builders import all_of, refused

LINUX = ["Linux/UNIX"]


def history(ec2, **parameters):
    return all_of(ec2, "describe_spot_price_history", "SpotPriceHistory", **parameters)


def by_zone(rows):
    found = defaultdict(list)
    for row in rows:
        found[row["AvailabilityZone"]].append(row)
    return found


@pytest.fixture
def now():
    return datetime.now(UTC)


def test_returns_the_changes_of_the_period_and_the_last_before_it(aws, now):
    start, end = now - timedelta(days=5), now - timedelta(days=1)

    rows = history(aws("ec2"), InstanceTypes=["c5.xlarge"], StartTime=start, EndTime=end)

    pools = defaultdict(list)
    for row in rows:
        pools[row["AvailabilityZone"], row["ProductDescription"]].append(row["Timestamp"])
    assert len(pools) == 6  # three zones, Linux and Windows
    for times in pools.values():
        assert len([at for at in times if at < start]) == 1
        assert all(at <= end for at in times)


def test_at_an_instant_returns_the_price_in_force_in_each_zone(aws, now):
    at = now - timedelta(days=10)
    longer = history(
        aws("ec2"),
        InstanceTypes=["m5.large"],
        ProductDescriptions=LINUX,
        StartTime=now - timedelta(days=30),
    )

    rows = history(
        aws("ec2"), InstanceTypes=["m5.large"], ProductDescriptions=LINUX, StartTime=at, EndTime=at
    )

    assert {row["AvailabilityZone"] for row in rows} == {"us-east-1a", "us-east-1b", "us-east-1c"}
    for row in rows:
        before = [r for r in by_zone(longer)[row["AvailabilityZone"]] if r["Timestamp"] <= at]
        assert row == before[0]


def test_is_newest_first_and_repeats_a_price_within_two_days(aws, now):
    rows = history(
        aws("ec2"),
        InstanceTypes=["m5.large"],
        ProductDescriptions=LINUX,
        StartTime=now - timedelta(days=60),
    )

    times = [row["Timestamp"] for row in rows]
    assert times == sorted(times, reverse=True)
    for pool in by_zone(rows).values():
        gaps = [a["Timestamp"] - b["Timestamp"] for a, b in pairwise(pool)]
        assert max(gaps) < timedelta(hours=46)


def test_goes_back_ninety_days(aws, now):
    rows = history(
        aws("ec2"),
        InstanceTypes=["m5.large"],
        ProductDescriptions=LINUX,
        StartTime=now - timedelta(days=200),
    )

    oldest = min(row["Timestamp"] for row in rows)
    assert timedelta(days=89) < now - oldest < timedelta(days=92)


def test_pages_contain_each_row_once(aws, now):
    params = {"InstanceTypes": ["m5.large", "c5.xlarge"], "StartTime": now - timedelta(days=20)}
    whole = history(aws("ec2"), **params, EndTime=now)

    paged = history(aws("ec2"), **params, EndTime=now, MaxResults=50)

    assert len(whole) > 150
    assert paged == whole


def test_the_next_page_has_the_period_of_the_first(aws, now):
    params = {"InstanceTypes": ["c5.xlarge"], "MaxResults": 5}
    ec2 = aws("ec2")
    end = now - timedelta(days=30)
    first = ec2.describe_spot_price_history(**params, EndTime=end)

    second = ec2.describe_spot_price_history(**params, NextToken=first["NextToken"])

    newest = second["SpotPriceHistory"][0]["Timestamp"]
    assert newest <= first["SpotPriceHistory"][-1]["Timestamp"] <= end


def test_a_page_has_at_most_a_thousand_rows(aws, now):
    response = aws("ec2").describe_spot_price_history(StartTime=now)

    assert len(response["SpotPriceHistory"]) == 1000
    assert response["NextToken"]


@pytest.mark.parametrize(
    "narrowed",
    [
        {"AvailabilityZone": "us-east-1b"},
        {"AvailabilityZoneId": "use1-az1"},
        {"Filters": [{"Name": "availability-zone", "Values": ["us-east-1b"]}]},
        {"Filters": [{"Name": "availability-zone-id", "Values": ["use1-az1"]}]},
    ],
)
def test_filters_by_zone_name_and_id(aws, now, narrowed):
    rows = history(aws("ec2"), InstanceTypes=["m5.large"], StartTime=now, **narrowed)

    assert {row["AvailabilityZone"] for row in rows} == {"us-east-1b"}
    assert {row["AvailabilityZoneId"] for row in rows} == {"use1-az1"}


def test_filters_by_type_product_and_price(aws, now):
    ec2 = aws("ec2")
    filters = [
        {"Name": "instance-type", "Values": ["m5.*"]},
        {"Name": "product-description", "Values": ["Linux/UNIX (Amazon VPC)"]},
    ]

    rows = history(ec2, StartTime=now, Filters=filters)
    price = rows[0]["SpotPrice"]
    of_that_price = history(
        ec2, StartTime=now, Filters=[*filters, {"Name": "spot-price", "Values": [price]}]
    )

    assert {row["InstanceType"].partition(".")[0] for row in rows} == {"m5"}
    assert {row["ProductDescription"] for row in rows} == {"Linux/UNIX"}
    assert of_that_price == [row for row in rows if row["SpotPrice"] == price]


def test_an_unknown_filter_and_an_invalid_token_are_refused(aws):
    with refused("InvalidParameterValue", 400):
        aws("ec2").describe_spot_price_history(Filters=[{"Name": "color", "Values": ["red"]}])
    with refused("InvalidNextToken", 400):
        aws("ec2").describe_spot_price_history(NextToken="%%%")


def test_a_start_in_the_future_returns_the_price_in_force(aws, now):
    rows = history(
        aws("ec2"),
        InstanceTypes=["m5.large"],
        ProductDescriptions=LINUX,
        StartTime=now + timedelta(days=1),
    )

    assert len(rows) == 3


def test_a_period_before_the_ninety_days_is_empty(aws, now):
    end = now - timedelta(days=95)

    assert history(aws("ec2"), InstanceTypes=["m5.large"], EndTime=end) == []


def test_a_type_that_is_not_offered_has_no_price(aws, now):
    assert history(aws("ec2"), InstanceTypes=["p2.xlarge"], StartTime=now) == []
