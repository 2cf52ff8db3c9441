import json

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from spot_optimizer.emulator.tests.builders import refused

OBJECT = {"Bucket": "spot-bid-advisor", "Key": "spot-advisor-data.json"}


@pytest.fixture
def public(emulator):
    """An S3 client without credentials."""
    config = Config(
        signature_version=UNSIGNED,
        s3={"addressing_style": "path"},
        retries={"total_max_attempts": 1},
    )
    return boto3.Session().client(
        "s3", region_name="us-east-1", endpoint_url=emulator.url, config=config
    )


@pytest.fixture
def feed(public):
    return json.loads(public.get_object(**OBJECT)["Body"].read())


def test_has_the_structure_of_the_real_feed(feed):
    assert set(feed) == {"instance_types", "ranges", "spot_advisor", "global_rate"}
    assert [band["label"] for band in feed["ranges"]] == [
        "<5%",
        "5-10%",
        "10-15%",
        "15-20%",
        ">20%",
    ]
    assert [band["max"] for band in feed["ranges"]] == [5, 11, 16, 22, 100]
    assert feed["instance_types"]["m5.large"] == {"cores": 2, "ram_gb": 8.0, "emr": False}
    assert set(feed["spot_advisor"]) == {"us-east-1", "eu-west-1", "ap-south-1"}
    assert set(feed["spot_advisor"]["us-east-1"]) == {"Linux", "Windows"}
    assert set(feed["spot_advisor"]["us-east-1"]["Linux"]["m5.large"]) == {"s", "r"}


def test_uses_all_bands_about_as_often_as_the_real_one(feed):
    bands = [advice["r"] for advice in feed["spot_advisor"]["us-east-1"]["Linux"].values()]

    shares = [bands.count(band) / len(bands) for band in range(5)]

    # June 2025: 19, 19, 16, 14 and 31 per cent.
    assert shares == pytest.approx([0.19, 0.19, 0.16, 0.14, 0.31], abs=0.08)


def test_its_savings_match_the_prices(feed, aws):
    response = aws("ec2").describe_spot_price_history(
        InstanceTypes=["m5.large"], ProductDescriptions=["Linux/UNIX"]
    )
    prices = [float(row["SpotPrice"]) for row in response["SpotPriceHistory"]]

    saving = feed["spot_advisor"]["us-east-1"]["Linux"]["m5.large"]["s"]

    assert 100 * (1 - max(prices) / 0.096) - 1 <= saving <= 100 * (1 - min(prices) / 0.096) + 1


def test_a_conditional_request_returns_not_modified(public):
    etag = public.get_object(**OBJECT)["ETag"]

    with refused("304"):
        public.get_object(**OBJECT, IfNoneMatch=etag)


def test_a_signed_request_needs_valid_credentials(aws, public):
    size = public.head_object(**OBJECT)["ContentLength"]
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})

    assert aws("s3", config=config).head_object(**OBJECT)["ContentLength"] == size
    with refused("SignatureDoesNotMatch", 403):
        aws("s3", config=config, aws_secret_access_key="wrong").get_object(**OBJECT)


def test_reading_it_can_be_denied(emulator, public):
    emulator.deny("s3:GetObject")

    with refused("AccessDenied", 403):
        public.get_object(**OBJECT)


def test_other_objects_are_not_public(public):
    with refused("AccessDenied", 403):
        public.list_objects_v2(Bucket="spot-bid-advisor")
    with refused("AccessDenied", 403):
        public.get_object(Bucket="spot-bid-advisor", Key="other.json")
