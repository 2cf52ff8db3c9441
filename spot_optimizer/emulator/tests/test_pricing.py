import json

import pytest

from spot_optimizer.emulator.tests.builders import all_of, refused

ORDINARY = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "marketoption": "OnDemand",
}


def products(aws, **fields):
    filters = [{"Type": "TERM_MATCH", "Field": f, "Value": v} for f, v in fields.items()]
    texts = all_of(
        aws("pricing"), "get_products", "PriceList", ServiceCode="AmazonEC2", Filters=filters
    )
    return [json.loads(text) for text in texts]


def price_of(product):
    [term] = product["terms"]["OnDemand"].values()
    [dimension] = term["priceDimensions"].values()
    assert dimension["unit"] == "Hrs"
    return dimension["pricePerUnit"]["USD"]


@pytest.mark.parametrize(
    ("region", "instance_type", "usd"),
    [
        # As in AWS's public price list.
        ("us-east-1", "m5.large", 0.096),
        ("us-east-1", "c5.xlarge", 0.17),
        ("us-east-1", "t3.medium", 0.0416),
        ("us-east-1", "g4dn.xlarge", 0.526),
        ("eu-west-1", "m5.large", 0.107),
        ("eu-west-1", "r5.2xlarge", 0.564),
        ("ap-south-1", "m5.large", 0.101),
    ],
)
def test_returns_the_real_price_of_a_type(aws, region, instance_type, usd):
    [product] = products(aws, regionCode=region, instanceType=instance_type, **ORDINARY)

    assert product["product"]["attributes"]["instanceType"] == instance_type
    assert float(price_of(product)) == pytest.approx(usd, rel=1e-3)


def test_windows_costs_the_licence_more(aws):
    windows = ORDINARY | {"operatingSystem": "Windows"}

    [product] = products(aws, regionCode="us-east-1", instanceType="m5.large", **windows)

    assert float(price_of(product)) == pytest.approx(0.096 + 2 * 0.046)


def test_without_a_capacity_filter_some_prices_are_zero_as_in_the_real_list(aws):
    found = products(aws, regionCode="us-east-1", instanceType="m5.large", operatingSystem="Linux")

    prices = {p["product"]["attributes"]["capacitystatus"]: float(price_of(p)) for p in found}
    assert prices["AllocatedCapacityReservation"] == 0
    assert prices["Used"] == pytest.approx(0.096)


def test_pages_through_the_types_of_a_region(aws):
    found = products(aws, regionCode="eu-west-1", **ORDINARY)

    names = [p["product"]["attributes"]["instanceType"] for p in found]
    assert len(names) == len(set(names)) > 300


def test_a_filter_without_a_value_or_of_an_unknown_type_is_refused(aws):
    faulty = [{"Type": "SOUNDS_LIKE", "Field": "instanceType", "Value": "m5"}]

    with refused("InvalidParameterException", 400):
        aws("pricing").get_products(ServiceCode="AmazonEC2", Filters=faulty)


def test_has_ec2_only(aws):
    with refused("NotFoundException"):
        aws("pricing").get_products(ServiceCode="AmazonS3")
