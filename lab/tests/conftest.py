import pytest

from lab.archive import batches


@pytest.fixture
def folder(settings, tmp_path):
    """The archive's folder, one per test."""
    there = tmp_path / "archive"
    settings.STORAGES = settings.STORAGES | {
        "archive": {
            "BACKEND": "lab.archive.storage.AtomicFileStorage",
            "OPTIONS": {"location": there},
        }
    }
    return there


@pytest.fixture
def small_files(monkeypatch):
    """Files of ten rows, so that a few rows make several files."""
    monkeypatch.setattr(batches, "FILE_ROWS", 10)
