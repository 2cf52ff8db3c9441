"""Writes fail if the row changed since it was read; tested in one thread."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.utils import timezone

from accounts import services, sign_in_links
from accounts.models import TokenFamily, User
from accounts.testing import NEW_PASSWORD, PASSWORD, a_user, an_admin

pytestmark = pytest.mark.django_db


class AfterFirstRead:
    """A database execute wrapper that calls ``change`` once, right after a user is read."""

    def __init__(self, change: Callable[[], object]) -> None:
        self.change, self.is_done = change, False

    def __call__(self, execute, sql, params, many, context) -> object:
        result = execute(sql, params, many, context)
        if not self.is_done and sql.startswith("SELECT") and "accounts_user" in sql:
            # The cursor's rows are not fetched yet, so the change uses another cursor.
            self.is_done = True
            self.change()
        return result


def after_first_read(change: Callable[[], object]):
    return connection.execute_wrapper(AfterFirstRead(change))


@pytest.mark.parametrize(
    "change",
    [{"password": make_password(NEW_PASSWORD)}, {"is_active": False}],
    ids=["a new password", "a disabled user"],
)
def test_a_sign_in_fails_if_the_user_changes_during_the_password_check(change):
    user = a_user()

    with (
        after_first_read(lambda: User.objects.filter(pk=user.pk).update(**change)),
        pytest.raises(services.InvalidCredentials),
    ):
        services.log_in(email=user.email, password=PASSWORD, now=timezone.now())

    assert not TokenFamily.objects.exists()


def test_a_password_change_fails_if_the_password_was_changed_since_the_user_was_read():
    stale = a_user()
    User.objects.filter(pk=stale.pk).update(password=make_password(NEW_PASSWORD))

    with pytest.raises(services.InvalidPassword):
        services.change_password(
            user=stale,
            current=PASSWORD,
            new="a-third-Horse-9-battery",
            access_token=None,
            now=timezone.now(),
        )

    assert User.objects.get(pk=stale.pk).check_password(NEW_PASSWORD)


def test_a_sign_in_link_fails_if_its_user_signs_in_while_it_is_redeemed():
    admin, now = an_admin(), timezone.now()
    token = sign_in_links.sign_in_token(admin)

    with (
        after_first_read(lambda: User.objects.filter(pk=admin.pk).update(last_login=now)),
        pytest.raises(sign_in_links.LinkUsed),
    ):
        sign_in_links.redeem(token, now=now + timedelta(seconds=1))

    assert User.objects.get(pk=admin.pk).last_login == now


class TestRevocation:
    """A revoked family keeps the time at which it was revoked."""

    @pytest.fixture
    def tokens(self):
        return services.start_family(user=a_user(), now=timezone.now())

    @pytest.mark.parametrize("how", ["log_out", "revoke_family", "revoke_families"])
    def test_a_second_revocation_changes_nothing(self, tokens, how):
        first, second = timezone.now(), timezone.now() + timedelta(minutes=1)
        family = TokenFamily.objects.get()
        arguments = {
            "log_out": {"refresh_token": str(tokens.refresh)},
            "revoke_family": {"family": family},
            "revoke_families": {"user": tokens.user},
        }[how]

        getattr(services, how)(**arguments, now=first)
        getattr(services, how)(**arguments, now=second)

        assert TokenFamily.objects.get().revoked_at == first

    def test_the_refresh_token_of_a_revoked_family_does_not_work(self, tokens):
        services.revoke_family(family=TokenFamily.objects.get(), now=timezone.now())

        with pytest.raises(services.TokenRevoked):
            services.rotate(refresh_token=str(tokens.refresh), now=timezone.now())

        assert TokenFamily.objects.get().current_jti == tokens.refresh["jti"]
