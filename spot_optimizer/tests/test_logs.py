"""Refusals are warnings of one line; a bug stays an error with its traceback."""

import logging

import pytest
from django.test import Client

from spot_optimizer.observability.logs import DowngradeRefusals

pytestmark = pytest.mark.django_db


@pytest.fixture
def told(caplog, settings):
    settings.ACCESS_LOG = False
    caplog.handler.addFilter(DowngradeRefusals())
    yield caplog
    caplog.handler.filters.clear()


@pytest.mark.urls("spot_optimizer.tests.failing_urls")
@pytest.mark.parametrize("failure", ["aws", "aws-timeout", "unavailable"])
def test_a_refusal_is_no_error(told, failure):
    Client().get(f"/api/v1/{failure}")

    assert [record.levelno for record in told.records] == [logging.WARNING]


def test_a_wrong_host_costs_no_traceback(told):
    Client().get("/docs", headers={"Host": "evil.example"})

    assert {record.levelno for record in told.records} == {logging.WARNING}
    assert "Traceback" not in told.text


@pytest.mark.urls("spot_optimizer.tests.failing_urls")
def test_a_bug_is_an_error_with_its_traceback(told):
    Client(raise_request_exception=False).get("/api/v1/bug")

    assert logging.ERROR in {record.levelno for record in told.records}
    assert "Traceback" in told.text


def test_the_console_is_toned_down(settings):
    assert settings.LOGGING["handlers"]["console"]["filters"] == ["downgrade_refusals", "context"]
