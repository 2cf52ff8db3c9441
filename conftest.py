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


@pytest.fixture(scope="session")
def _filled_market(emulator: Any, django_db_setup: None, django_db_blocker: Any) -> None:
    """Fetch us-east-1 once for all tests that only need some market, as a first evaluation does."""
    from django.utils import timezone

    from sandbox.jobs import cleanup, evaluations
    from sandbox.testing import an_emulated_session, an_evaluation

    with django_db_blocker.unblock(), override_settings(AWS_ENDPOINT_URL=emulator.url):
        session = an_emulated_session(emulator)
        evaluation = an_evaluation(session)
        evaluations.evaluate(evaluation_id=evaluation.pk, now=timezone.now())
        user = session.user
        cleanup.clean_up(session_id=session.pk, now=timezone.now())
        session.delete()
        user.delete()


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
