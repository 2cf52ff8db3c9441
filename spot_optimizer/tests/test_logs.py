"""Refused requests are warnings of one line; a bug is an error with its traceback."""

import logging

import pytest
from django.test import Client

from spot_optimizer.observability.logs import DowngradeRefusals

pytestmark = pytest.mark.django_db


@pytest.fixture
def log(caplog, settings):
    settings.ACCESS_LOG = False
    caplog.handler.addFilter(DowngradeRefusals())
    yield caplog
    caplog.handler.filters.clear()


@pytest.mark.urls("spot_optimizer.tests.failing_urls")
@pytest.mark.parametrize("failure", ["aws", "aws-timeout", "unavailable"])
def test_a_refused_request_is_a_warning(log, failure):
    Client().get(f"/api/v1/{failure}")

    assert [record.levelno for record in log.records] == [logging.WARNING]


def test_a_wrong_host_is_logged_without_a_traceback(log):
    Client().get("/docs", headers={"Host": "evil.example"})

    assert {record.levelno for record in log.records} == {logging.WARNING}
    assert "Traceback" not in log.text


@pytest.mark.urls("spot_optimizer.tests.failing_urls")
def test_a_bug_is_an_error_with_its_traceback(log):
    Client(raise_request_exception=False).get("/api/v1/bug")

    assert logging.ERROR in {record.levelno for record in log.records}
    assert "Traceback" in log.text


def test_the_console_downgrades_refused_requests(settings):
    assert settings.LOGGING["handlers"]["console"]["filters"] == ["downgrade_refusals", "context"]
