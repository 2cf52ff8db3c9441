"""The Spot Advisor: how often AWS takes instances of a type back, by region."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from spot_optimizer.aws.clients import READ_TIMEOUT, public_client
from spot_optimizer.aws.deadline import Deadline
from spot_optimizer.aws.errors import translated_errors

BUCKET = "spot-bid-advisor"
KEY = "spot-advisor-data.json"
LARGEST = 32 * 1024 * 1024  # [bytes]; the document has about 2 MiB
BANDS = range(5)  # 0: less than 5 % a month … 4: more than 20 %


class AdvisorRow(NamedTuple):
    """The share of instances taken back in the month before, as a band 0…4."""

    region: str
    operating_system: str  # "Linux" or "Windows"
    instance_type: str
    band: int
    savings_percent: int


class Advisor(NamedTuple):
    rows: list[AdvisorRow]
    as_of: datetime


def spot_advisor(*, deadline: Deadline, read_timeout: float = READ_TIMEOUT) -> Advisor:
    """
    Return the whole Advisor document. It is public: no credentials are shown.

    :raises AwsRefused: AWS answered with an error
    :raises AwsTimeout: AWS did not answer, or not within the deadline
    """
    with translated_errors(deadline):
        client = public_client("s3", read_timeout=read_timeout)
        answer = client.get_object(Bucket=BUCKET, Key=KEY)
        body = answer["Body"].read(LARGEST)
        return Advisor(list(advisor_rows(json.loads(body))), answer["LastModified"])


def advisor_rows(document: Mapping[str, Any]) -> Iterator[AdvisorRow]:
    """
    Yield what the Advisor's document says.

    :raises LookupError, TypeError, ValueError, AttributeError: it is no such document
    """
    for region, systems in document["spot_advisor"].items():
        for system, types in systems.items():
            for instance_type, row in types.items():
                if row["r"] not in BANDS:
                    raise ValueError("the Advisor has five bands")
                yield AdvisorRow(region, system, instance_type, row["r"], row["s"])
