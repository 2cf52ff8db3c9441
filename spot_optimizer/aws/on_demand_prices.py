"""
Price List ``GetProducts``: on-demand prices.

The API is served from us-east-1 for all regions. It returns at most 100 products per page, each as
a JSON text.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from spot_optimizer.aws.client.access import AwsAccess
from spot_optimizer.aws.client.deadline import Deadline

PAGE_SIZE = 100


class OnDemandPriceRow(NamedTuple):
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
) -> Iterator[list[OnDemandPriceRow]]:
    """
    Yield the on-demand prices of the region, of one type or of all, page by page.

    They are for shared tenancy, without software or licenses on top of the operating system.

    :raises AwsRefused: AWS returned an error
    :raises AwsTimeout: AWS did not respond, or not before the deadline
    """
    fields = {
        "regionCode": access.region,
        "operatingSystem": operating_system,
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "licenseModel": "No License required",
    }
    if instance_type is not None:
        fields["instanceType"] = instance_type
    request: dict[str, Any] = {
        "ServiceCode": "AmazonEC2",
        "MaxResults": PAGE_SIZE,
        "Filters": [
            {"Type": "TERM_MATCH", "Field": field, "Value": value}
            for field, value in fields.items()
        ],
    }
    return access.pages("pricing", "get_products", request, _parse, deadline=deadline)


def _parse(response: Mapping[str, Any]) -> list[OnDemandPriceRow]:
    products = [json.loads(text) for text in response["PriceList"]]
    return [price for product in products for price in _prices(product)]


def _prices(product: Mapping[str, Any]) -> Iterator[OnDemandPriceRow]:
    attributes = product["product"]["attributes"]
    for term in product["terms"].get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            price = Decimal(dimension["pricePerUnit"].get("USD", "0"))
            # The list contains entries of price 0, which cannot be bought.
            if dimension["unit"] == "Hrs" and price.is_finite() and price > 0:
                yield OnDemandPriceRow(
                    instance_type=attributes["instanceType"],
                    operating_system=attributes["operatingSystem"],
                    price=price,
                    since=datetime.fromisoformat(term["effectiveDate"]),
                )
