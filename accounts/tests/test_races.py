"""Concurrent requests."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.utils import timezone

from accounts import services
from accounts.models import TokenFamily, User
from accounts.testing import NEW_PASSWORD, PASSWORD, a_user, an_admin
from spot_optimizer.errors import DomainError

pytestmark = pytest.mark.django_db(transaction=True)


def together(*calls: Callable[[], object]) -> list[str]:
    """Make all calls concurrently in threads; return the code of each error, or 'done'."""
    start = Barrier(len(calls))

    def attempt(call: Callable[[], object]) -> str:
        start.wait()
        try:
            call()
        except DomainError as refusal:
            return refusal.code
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(max_workers=len(calls)) as pool:
        return list(pool.map(attempt, calls))


@pytest.mark.parametrize("time", range(5))
def test_of_simultaneous_refreshes_exactly_one_wins(time):
    tokens = services.start_family(user=a_user(), now=timezone.now())

    def refresh() -> None:
        services.rotate(refresh_token=str(tokens.refresh), now=timezone.now())

    codes = together(*[refresh] * 8)

    assert sorted(codes) == ["done"] + ["token_revoked"] * 7
    assert TokenFamily.objects.get().revoked_at is not None


@pytest.mark.parametrize("time", range(5))
def test_two_admins_who_demote_each_other_leave_one(time):
    ada, bob = an_admin(), an_admin()

    def demote(user: User) -> None:
        services.change_user(user_id=user.pk, role="user", now=timezone.now())

    codes = together(lambda: demote(ada), lambda: demote(bob))

    assert sorted(codes) == ["done", "last_admin"]
    assert User.objects.filter(role="admin").count() == 1


def test_of_simultaneous_registrations_of_one_name_one_wins():
    def register(number: int) -> None:
        services.register(
            email=f"ada-{number}@example.com",
            username=["ada", "ADA"][number % 2],
            password=PASSWORD,
            full_name="",
        )

    codes = together(*[lambda number=number: register(number) for number in range(6)])

    assert sorted(codes) == ["done"] + ["invalid"] * 5
    assert User.objects.count() == 1


def test_of_simultaneous_password_changes_one_wins():
    user = a_user()

    def change() -> None:
        services.change_password(
            user=User.objects.get(pk=user.pk),
            current=PASSWORD,
            new=NEW_PASSWORD,
            access_token=None,
            now=timezone.now(),
        )

    codes = together(*[change] * 4)

    assert sorted(codes) == ["done"] + ["invalid_password"] * 3


def test_no_log_in_with_the_old_password_survives_its_change():
    user = a_user()

    def log_in() -> None:
        services.log_in(email=user.email, password=PASSWORD, now=timezone.now())

    def change() -> None:
        services.change_password(
            user=User.objects.get(pk=user.pk),
            current=PASSWORD,
            new=NEW_PASSWORD,
            access_token=None,
            now=timezone.now(),
        )

    together(change, *[log_in] * 5)

    assert not TokenFamily.objects.filter(revoked_at=None).exists()
