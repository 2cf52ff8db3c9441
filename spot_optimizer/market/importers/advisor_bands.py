"""The Spot Advisor's bands, from a document that was kept."""

import gzip
import json
import re
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

from spot_optimizer.aws.advisor import advisor_rows
from spot_optimizer.errors import Invalid
from spot_optimizer.market import ingest
from spot_optimizer.market.importers.tables import Advance

# The date it was retrieved; "b" is the second time that day.
NAME = re.compile(r"(\d{4}-\d\d-\d\d)(b?)\.json\.gz")


def import_advisor(path: Path, *, advance: Advance) -> int:
    """
    Store the changes of the bands of all regions; return how many bands were read.

    :raises Invalid: it is no Advisor document, or its name tells no date
    """
    name = NAME.fullmatch(path.name)
    if name is None:
        raise Invalid(f"{path} must be named after its date, as in 2022-07-09.json.gz.")
    day, second = name.groups()
    learned_at = datetime.fromisoformat(day).replace(tzinfo=UTC)
    if second:
        learned_at += timedelta(hours=12)
    try:
        rows = list(advisor_rows(json.loads(gzip.decompress(path.read_bytes()))))
    except (OSError, EOFError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise Invalid(f"{path} is no document of the Spot Advisor.") from error
    for region, some in groupby(rows, key=lambda row: row.region):
        ingest.store_advisor(region=region, rows=some, learned_at=learned_at)
    advance(1)
    return len(rows)
