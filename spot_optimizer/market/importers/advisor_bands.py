"""Importing a stored Spot Advisor document: its interruption bands."""

import gzip
import json
import re
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

from spot_optimizer.aws.spot_advisor import parse_advisor_rows
from spot_optimizer.errors import Invalid
from spot_optimizer.market.importers.tables import Advance
from spot_optimizer.market.ingest.advisor_bands import store_advisor_bands

# The date of retrieval; "b" marks the second document of a day.
NAME = re.compile(r"(\d{4}-\d\d-\d\d)(b?)\.json\.gz")


def import_advisor_bands(path: Path, *, advance: Advance) -> int:
    """
    Store the changes of all regions' bands; return how many bands were read.

    :raises Invalid: the file is not an Advisor document, or its name contains no date
    """
    name = NAME.fullmatch(path.name)
    if name is None:
        raise Invalid(f"{path} must be named after its date, as in 2022-07-09.json.gz.")
    day, second = name.groups()
    learned_at = datetime.fromisoformat(day).replace(tzinfo=UTC)
    if second:
        learned_at += timedelta(hours=12)
    try:
        rows = list(parse_advisor_rows(json.loads(gzip.decompress(path.read_bytes()))))
    except (OSError, EOFError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise Invalid(f"{path} is not a document of the Spot Advisor.") from error
    for region, group in groupby(rows, key=lambda row: row.region):
        store_advisor_bands(region=region, rows=group, learned_at=learned_at)
    advance(1)
    return len(rows)
