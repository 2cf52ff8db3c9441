"""The archive in S3, configured by ARCHIVE_BUCKET, against the emulator."""

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
from lab.tests.experiment_rows import an_experiment, experiments, stored
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
    """The storage that ARCHIVE_BUCKET configures, with the demo account's keys."""
    environment = os.environ | {"ARCHIVE_BUCKET": BUCKET}
    output = subprocess.check_output([sys.executable, "-c", SETTINGS], cwd=ROOT, env=environment)
    storage = json.loads(output)
    storage["OPTIONS"] |= {
        "endpoint_url": emulator.url,
        "addressing_style": "path",
        "access_key": emulator.access_key,
        "secret_key": emulator.secret_key,
    }
    settings.STORAGES = settings.STORAGES | {"archive": storage}
    storages["archive"].connection.create_bucket(Bucket=BUCKET)
    return storages["archive"]


def test_archives_and_restores(bucket):
    rows = experiments(30)

    run = jobs.cleanup_old_experiment_logs(now=NOON)

    archive = Archive.objects.get()
    assert (run.rows, stored()) == (30, {})
    assert bucket.size(archive.name) > 0
    assert restore(archive.name, now=NOON).added == 30
    assert stored() == rows


def test_a_large_file_is_uploaded_in_parts(bucket):
    owner = a_user()
    logs = [an_experiment(owner=owner, inputs=os.urandom(1_000_000)) for _ in range(12)]
    ExperimentLog.objects.bulk_create(logs)
    rows = stored()

    run = jobs.cleanup_old_experiment_logs(now=NOON)

    assert (run.rows, run.failures) == (12, 0)
    restore(Archive.objects.get().name, now=NOON)
    assert stored() == rows


def test_a_denied_upload_deletes_no_rows(bucket, emulator):
    rows = experiments(3)
    emulator.deny("s3:PutObject")

    run = jobs.cleanup_old_experiment_logs(now=NOON)

    assert (run.rows, run.failures) == (0, 1)
    assert stored() == rows
    emulator.reset()
    assert jobs.cleanup_old_experiment_logs(now=NOON).rows == 3


def test_a_missing_bucket_deletes_no_rows(bucket, settings):
    rows = experiments(3)
    settings.STORAGES["archive"]["OPTIONS"]["bucket_name"] = "no-such-bucket"
    settings.STORAGES = dict(settings.STORAGES)

    assert jobs.cleanup_old_experiment_logs(now=NOON).failures == 1
    assert stored() == rows
