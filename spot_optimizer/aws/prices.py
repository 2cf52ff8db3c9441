"""The history of spot prices."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from spot_optimizer.aws.clients import AwsAccess
from spot_optimizer.aws.deadline import Deadline
from spot_optimizer.aws.errors import translated_errors

PAGE = 1000  # the most that AWS answers at a time


class SpotPrice(NamedTuple):
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
) -> Iterator[list[SpotPrice]]:
    """
    Yield the spot prices since ``since``, page by page, in no order.

    Of each pool the price in force at ``since`` is among them. AWS repeats unchanged prices, and
    keeps 90 days. ``zone_ids`` maps the account's zone names to ids; other zones are left out.

    :raises AwsRefused: AWS answered with an error
    :raises AwsTimeout: AWS did not answer, or not within the deadline
    """
    asked: dict[str, Any] = {
        "InstanceTypes": list(instance_types),
        "ProductDescriptions": list(products),
        "StartTime": since,
        "MaxResults": PAGE,
    }
    if until is not None:
        asked["EndTime"] = until
    while True:
        with translated_errors(deadline):
            answer = access.client("ec2").describe_spot_price_history(**asked)
            page = [
                _price(item, zone_ids)
                for item in answer["SpotPriceHistory"]
                if item["AvailabilityZone"] in zone_ids
            ]
            asked["NextToken"] = answer.get("NextToken", "")
        yield page
        if not asked["NextToken"]:
            return


def _price(item: Mapping[str, Any], zone_ids: Mapping[str, str]) -> SpotPrice:
    price = Decimal(item["SpotPrice"])
    if not (price.is_finite() and price > 0):
        raise ValueError("a price is above zero")
    return SpotPrice(
        zone_id=zone_ids[item["AvailabilityZone"]],
        instance_type=item["InstanceType"],
        # In a VPC the same product has a longer name, and the same price.
        product=item["ProductDescription"].removesuffix(" (Amazon VPC)"),
        price=price,
        at=item["Timestamp"],
    )
