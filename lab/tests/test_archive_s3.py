"""The archive in S3, as the settings make it: the local AWS answers, over HTTP."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.files.storage import storages

from accounts.testing import a_user
from lab.archive import jobs
from lab.archive.restore import restore
from lab.models import Archive, ExperimentLog
from lab.tests.archives import an_experiment, experiments, stored
from spot_optimizer.testing import NOON

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
BUCKET = "experiments-of-a-test"
SETTINGS = """
import json
from spot_optimizer.tests import settings
print(json.dumps(settings.STORAGES["archive"]))
"""


@pytest.fixture
def bucket(emulator, settings):
    """The archive as ARCHIVE_BUCKET makes it, with the demo account's keys."""
    environment = os.environ | {"ARCHIVE_BUCKET": BUCKET}
    made = subprocess.check_output([sys.executable, "-c", SETTINGS], cwd=ROOT, env=environment)
    archive = json.loads(made)
    archive["OPTIONS"] |= {
        "endpoint_url": emulator.url,
        "addressing_style": "path",
        "access_key": emulator.access_key,
        "secret_key": emulator.secret_key,
    }
    settings.STORAGES = settings.STORAGES | {"archive": archive}
    storages["archive"].connection.create_bucket(Bucket=BUCKET)
    return storages["archive"]


def test_moves_there_and_back(bucket):
    rows = experiments(30)

    night = jobs.cleanup_old_experiment_logs(now=NOON)

    kept = Archive.objects.get()
    assert (night.rows, stored()) == (30, {})
    assert bucket.size(kept.name) > 0
    assert restore(kept.name, now=NOON).added == 30
    assert stored() == rows


def test_a_large_file_goes_in_parts(bucket):
    owner = a_user()
    logs = [an_experiment(owner=owner, inputs=os.urandom(1_000_000)) for _ in range(12)]
    ExperimentLog.objects.bulk_create(logs)
    rows = stored()

    night = jobs.cleanup_old_experiment_logs(now=NOON)

    assert (night.rows, night.failures) == (12, 0)
    restore(Archive.objects.get().name, now=NOON)
    assert stored() == rows


def test_a_refusal_of_aws_keeps_the_rows(bucket, emulator):
    rows = experiments(3)
    emulator.deny("s3:PutObject")

    night = jobs.cleanup_old_experiment_logs(now=NOON)

    assert (night.rows, night.failures) == (0, 1)
    assert stored() == rows
    emulator.reset()
    assert jobs.cleanup_old_experiment_logs(now=NOON).rows == 3


def test_a_bucket_that_is_not_there_keeps_the_rows(bucket, settings):
    rows = experiments(3)
    settings.STORAGES["archive"]["OPTIONS"]["bucket_name"] = "no-such-bucket"
    settings.STORAGES = dict(settings.STORAGES)

    assert jobs.cleanup_old_experiment_logs(now=NOON).failures == 1
    assert stored() == rows
