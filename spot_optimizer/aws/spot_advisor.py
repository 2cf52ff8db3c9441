"""
Spot Advisor: how often instances of a type are interrupted, by region.

AWS publishes it as one JSON document in a public S3 bucket (``GetObject``, no credentials). Its
bands stand for the share of instances interrupted in the month before.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from spot_optimizer.aws.client.access import READ_TIMEOUT, public_client
from spot_optimizer.aws.client.deadline import Deadline
from spot_optimizer.aws.client.errors import translated_errors

BUCKET = "spot-bid-advisor"
KEY = "spot-advisor-data.json"
MAX_BYTES = 32 * 1024 * 1024  # the document has about 2 MiB
BANDS = range(5)  # 0: less than 5 % a month … 4: more than 20 %


class AdvisorRow(NamedTuple):
    """The interruption band 0…4 of one instance type in one region."""

    region: str
    operating_system: str  # "Linux" or "Windows"
    instance_type: str
    band: int
    savings_percent: int


class AdvisorDocument(NamedTuple):
    rows: list[AdvisorRow]
    modified_at: datetime


def spot_advisor(*, deadline: Deadline, read_timeout: float = READ_TIMEOUT) -> AdvisorDocument:
    """
    Return the current Advisor document, all regions.

    :raises AwsRefused: AWS returned an error
    :raises AwsTimeout: AWS did not respond, or not before the deadline
    """
    with translated_errors(deadline):
        client = public_client("s3", read_timeout=read_timeout)
        response = client.get_object(Bucket=BUCKET, Key=KEY)
        document = json.loads(response["Body"].read(MAX_BYTES))
        return AdvisorDocument(list(parse_advisor_rows(document)), response["LastModified"])


def parse_advisor_rows(document: Mapping[str, Any]) -> Iterator[AdvisorRow]:
    """
    Yield the rows of an Advisor document.

    :raises LookupError, TypeError, ValueError, AttributeError: the document has another structure
    """
    for region, systems in document["spot_advisor"].items():
        for system, types in systems.items():
            for instance_type, row in types.items():
                if row["r"] not in BANDS:
                    raise ValueError("an Advisor band is 0 to 4")
                yield AdvisorRow(region, system, instance_type, row["r"], row["s"])
