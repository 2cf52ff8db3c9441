"""What the tests of the archive share."""

from datetime import timedelta
from itertools import count
from uuid import uuid4

from accounts.testing import a_user
from lab.archive import parquet as columns
from lab.models import Archive, ExperimentLog
from spot_optimizer.testing import NOON

LONG_AGO = NOON - timedelta(days=200)
_numbers = count(1)


def an_experiment(**fields):
    number = next(_numbers)
    defaults = {
        "owner": fields.get("owner") or a_user(),
        "evaluation_id": uuid4(),
        "instance_id": f"i-{number:017x}",
        "pipeline_mode": "CLUSTER_FULL",
        "decision": "SWITCH",
        "numbers": {"risk": 0.1 + 0.2, "pools": [number, None, "é\u2028\u0001"], "big": 2**60},
        "inputs_hash": f"{number:064x}",
        "inputs": bytes(range(256)) * 4 + str(number).encode(),
        "milliseconds": {"risk": 0.25},
        "created_at": LONG_AGO,
    }
    return ExperimentLog(**defaults | fields)


def experiments(number, *, owner=None, since=LONG_AGO, every=timedelta(seconds=1), **fields):
    """Store some, one after the other; return them as they are read again, oldest first, by id."""
    owner = owner or a_user()
    logs = [
        an_experiment(owner=owner, created_at=since + every * n, **fields) for n in range(number)
    ]
    ExperimentLog.objects.bulk_create(logs)
    found = stored()
    return {log.pk: found[log.pk] for log in logs}


def stored():
    """Return what is in the table, field by field, by id."""
    return {log.pk: fields_of(log) for log in ExperimentLog.objects.all()}


def fields_of(log):
    """Return each stored field of an experiment log but the one that says it was restored."""
    names = [f.attname for f in log._meta.concrete_fields if f.name != "restored_at"]
    values = {name: getattr(log, name) for name in names}
    return values | {"inputs": bytes(values["inputs"])}


def archived(folder):
    """Return the rows of all files that are kept, by id; fail where one is there twice."""
    rows = {}
    for kept in Archive.objects.filter(state="kept"):
        with (folder / kept.name).open("rb") as file:
            for group in columns.read(file):
                for row in group:
                    assert row["id"] not in rows
                    rows[row["id"]] = row
    return rows
