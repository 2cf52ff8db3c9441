from collections.abc import Iterator
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from django.test import override_settings

pytest_plugins = ["spot_optimizer.emulator.testing"]


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
