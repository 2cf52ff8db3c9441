"""
EC2 ``DescribeSpotPriceHistory``: the spot prices of the last 90 days.

AWS returns at most 1,000 prices per page, in no guaranteed order, repeats unchanged prices, and
includes for each pool the price that was in force at the start of the period.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from spot_optimizer.aws.client.access import AwsAccess
from spot_optimizer.aws.client.deadline import Deadline

PAGE_SIZE = 1000


class SpotPriceRow(NamedTuple):
    """From ``at`` on, an hour of this pool costs ``price``. [USD/h]"""

    zone_id: str
    instance_type: str
    product: str
    price: Decimal
    at: datetime


def spot_prices(
    access: AwsAccess,
    *,
    instance_types: Sequence[str],
    products: Sequence[str],
    zone_ids: Mapping[str, str],
    since: datetime,
    until: datetime | None = None,
    deadline: Deadline,
) -> Iterator[list[SpotPriceRow]]:
    """
    Yield the spot prices since ``since``, page by page.

    ``zone_ids`` maps the account's zone names to ids; prices of other zones are left out.

    :raises AwsRefused: AWS returned an error
    :raises AwsTimeout: AWS did not respond, or not before the deadline
    """
    request: dict[str, Any] = {
        "InstanceTypes": list(instance_types),
        "ProductDescriptions": list(products),
        "StartTime": since,
        "MaxResults": PAGE_SIZE,
    }
    if until is not None:
        request["EndTime"] = until

    def parse(response: Mapping[str, Any]) -> list[SpotPriceRow]:
        items = response["SpotPriceHistory"]
        return [_price(item, zone_ids) for item in items if item["AvailabilityZone"] in zone_ids]

    return access.pages("ec2", "describe_spot_price_history", request, parse, deadline=deadline)


def _price(item: Mapping[str, Any], zone_ids: Mapping[str, str]) -> SpotPriceRow:
    price = Decimal(item["SpotPrice"])
    if not (price.is_finite() and price > 0):
        raise ValueError("a spot price must be above zero")
    return SpotPriceRow(
        zone_id=zone_ids[item["AvailabilityZone"]],
        instance_type=item["InstanceType"],
        # In a VPC the same product has a longer name, and the same price.
        product=item["ProductDescription"].removesuffix(" (Amazon VPC)"),
        price=price,
        at=item["Timestamp"],
    )
