"""On-demand prices, from the Price List."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from spot_optimizer.aws.clients import AwsAccess
from spot_optimizer.aws.deadline import Deadline
from spot_optimizer.aws.errors import translated_errors

PAGE = 100  # the most that AWS answers at a time


class OnDemandPrice(NamedTuple):
    """Since ``since``, an hour of this type costs ``price`` on demand. [USD/h]"""

    instance_type: str
    operating_system: str
    price: Decimal
    since: datetime


def on_demand_prices(
    access: AwsAccess,
    *,
    operating_system: str,
    instance_type: str | None = None,
    deadline: Deadline,
) -> Iterator[list[OnDemandPrice]]:
    """
    Yield the on-demand prices of the region, of one type or of all, page by page.

    They are for shared tenancy, without software or licences on top of the operating system.

    :raises AwsRefused: AWS answered with an error
    :raises AwsTimeout: AWS did not answer, or not within the deadline
    """
    wanted = {
        "regionCode": access.region,
        "operatingSystem": operating_system,
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "licenseModel": "No License required",
    }
    if instance_type is not None:
        wanted["instanceType"] = instance_type
    asked: dict[str, Any] = {
        "ServiceCode": "AmazonEC2",
        "MaxResults": PAGE,
        "Filters": [
            {"Type": "TERM_MATCH", "Field": field, "Value": value}
            for field, value in wanted.items()
        ],
    }
    while True:
        with translated_errors(deadline):
            answer = access.client("pricing").get_products(**asked)
            products = [json.loads(text) for text in answer["PriceList"]]
            page = [price for product in products for price in _prices(product)]
            asked["NextToken"] = answer.get("NextToken", "")
        yield page
        if not asked["NextToken"]:
            return


def _prices(product: Mapping[str, Any]) -> Iterator[OnDemandPrice]:
    attributes = product["product"]["attributes"]
    for term in product["terms"].get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            price = Decimal(dimension["pricePerUnit"].get("USD", "0"))
            # The list has entries of price 0: they are no offers.
            if dimension["unit"] == "Hrs" and price.is_finite() and price > 0:
                yield OnDemandPrice(
                    instance_type=attributes["instanceType"],
                    operating_system=attributes["operatingSystem"],
                    price=price,
                    since=datetime.fromisoformat(term["effectiveDate"]),
                )
