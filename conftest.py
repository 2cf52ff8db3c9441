import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from whitenoise.middleware import WhiteNoiseMiddleware

pytest_plugins = ["spot_optimizer.emulator.testing"]

WORKERS_PER_CORE = 1.5  # many tests wait for a process or a time-out
SLOW_FOLDER = Path(__file__).parent / "spot_optimizer" / "tests"


def pytest_configure() -> None:
    """Let servers under test receive SIGINT, which a shell ignores for its background jobs."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Distribute the whole suite only: chosen tests start sooner in one process."""
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return 0
    return max(2, round(WORKERS_PER_CORE * len(os.sched_getaffinity(0))))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the slow files first, so that all workers end at about the same time."""
    items.sort(key=lambda item: SLOW_FOLDER not in item.path.parents)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Close the connections of threads that still run: PostgreSQL drops no database in use."""
    yield
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture(scope="module", autouse=True)
def _migration_rows(request: pytest.FixtureRequest, django_db_blocker: Any) -> Iterator[None]:
    """Restore the rows that migrations create, after the transactional tests of a module."""
    if not any(
        _is_transactional(item) for item in request.session.items if item.path == request.path
    ):
        yield
        return
    request.getfixturevalue("django_db_setup")
    with django_db_blocker.unblock():
        rows = connection.creation.serialize_db_to_string()
    yield
    with django_db_blocker.unblock():
        # Sequences are not reset: the restored rows have the ids that migrations gave them.
        call_command(
            "flush",
            interactive=False,
            verbosity=0,
            inhibit_post_migrate=True,
            reset_sequences=False,
        )
        connection.creation.deserialize_db_from_string(rows)


def _is_transactional(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("django_db")
    return bool(marker and marker.kwargs.get("transaction")) or "transactional_db" in getattr(
        item, "fixturenames", ()
    )


@pytest.fixture(scope="session", autouse=True)
def _static_files() -> Iterator[None]:
    """List the static files once: each test client has its own WhiteNoise, which lists them all."""
    files: dict[str, Any] = {}
    list_files = WhiteNoiseMiddleware.add_files_from_finders

    def reuse(middleware: WhiteNoiseMiddleware) -> None:
        if not files:
            list_files(middleware)
            files.update(middleware.files)
        middleware.files = files

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", reuse)
        yield


@pytest.fixture
def aws(emulator: Any, settings: Any) -> Any:
    """The local AWS, with the platform pointed at it: only the endpoint differs from AWS."""
    settings.AWS_ENDPOINT_URL = emulator.url
    return emulator


@pytest.fixture(scope="module")
def _filled_market(emulator: Any, django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Fetch us-east-1 once for a module's tests, as a first evaluation does; then forget it."""
    from sandbox.testing import fill_market, forget_market

    with django_db_blocker.unblock(), override_settings(AWS_ENDPOINT_URL=emulator.url):
        fill_market(emulator)
    yield
    with django_db_blocker.unblock():
        forget_market()


@pytest.fixture
def market(aws: Any, _filled_market: None) -> Any:
    """The local AWS, and a market store that knows us-east-1 already."""
    return aws


@pytest.fixture
def worker(transactional_db: None) -> Iterator[None]:
    """A Celery worker on the real broker: Redis where there is one, else the in-process one."""
    from spot_optimizer.celery import app

    app.control.purge()
    with start_worker(app, pool="threads", concurrency=4, perform_ping_check=False):
        yield
        app.control.shutdown()  # otherwise its loop ends only after a wait of two seconds
