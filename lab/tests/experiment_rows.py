"""Builders for the archive's tests."""

from datetime import timedelta
from itertools import count
from uuid import uuid4

from accounts.testing import a_user
from lab.archive import parquet
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
    """Store experiments; return their stored fields by id, oldest first."""
    owner = owner or a_user()
    logs = [
        an_experiment(owner=owner, created_at=since + every * n, **fields) for n in range(number)
    ]
    ExperimentLog.objects.bulk_create(logs)
    found = stored()
    return {log.pk: found[log.pk] for log in logs}


def stored():
    """Return the fields of all rows in the table, by id."""
    return {log.pk: fields_of(log) for log in ExperimentLog.objects.all()}


def fields_of(log):
    """Return the fields of an experiment log that are archived."""
    names = [f.attname for f in log._meta.concrete_fields if f.name != "restored_at"]
    values = {name: getattr(log, name) for name in names}
    return values | {"inputs": bytes(values["inputs"])}


def archived(folder):
    """Return the rows of all finished files, by id; fail on a duplicate."""
    rows = {}
    for archive in Archive.objects.filter(state="kept"):
        with (folder / archive.name).open("rb") as file:
            for group in parquet.read(file):
                for row in group:
                    assert row["id"] not in rows
                    rows[row["id"]] = row
    return rows
