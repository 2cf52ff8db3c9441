"""Pooled PostgreSQL connections are checked when they have not been checked for a second."""

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from psycopg_pool import ConnectionPool

from accounts.testing import a_user, signed_in
from spot_optimizer.postgresql import base

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(settings.IS_SQLITE, reason="needs PostgreSQL: set DATABASE_URL"),
]


@pytest.fixture
def clock(monkeypatch, transactional_db):
    """The time that the backend reads; ``clock[0] += 2`` lets two seconds pass."""
    now = [base.monotonic()]
    connection.close()
    connection.close_pool()
    monkeypatch.setattr(base, "monotonic", lambda: now[0])
    yield now
    connection.close()
    connection.close_pool()


@pytest.fixture
def checks(monkeypatch):
    made = []
    check = ConnectionPool.check_connection
    monkeypatch.setattr(
        ConnectionPool, "check_connection", staticmethod(lambda conn: made.append(1) or check(conn))
    )
    return made


def backend_pid():
    connection.ensure_connection()
    return connection.connection.info.backend_pid


def kill_all_connections():
    connection.close()  # returns it to the pool
    with psycopg.connect(**connection.get_connection_params() | {"autocommit": True}) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


class TestPooledConnection:
    def test_is_not_checked_twice_within_a_second(self, clock, checks):
        backend_pid()
        connection.close()
        checks.clear()

        for _ in range(3):
            clock[0] += 0.2
            backend_pid()
            connection.close()

        assert checks == []

    def test_is_checked_after_a_second(self, clock, checks):
        backend_pid()
        connection.close()
        checks.clear()
        clock[0] += 1.0

        backend_pid()

        assert len(checks) == 1

    def test_that_was_closed_while_idle_is_replaced(self, clock):
        killed = backend_pid()
        kill_all_connections()
        clock[0] += 1.5

        assert backend_pid() != killed

    def test_a_request_after_an_idle_connection_was_closed_succeeds(self, clock):
        user = a_user()
        kill_all_connections()
        clock[0] += 1.5

        assert signed_in(user).get("/api/v1/auth/profile").status_code == 200
        assert Client().get("/health/live").status_code == 200
