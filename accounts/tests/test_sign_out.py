"""Sign-out by an operator, or by a password that an operator sets, ends a user's sign-ins."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import services
from accounts.models import TokenFamily
from accounts.testing import NEW_PASSWORD, a_user, an_admin

pytestmark = pytest.mark.django_db


def a_browser(user):
    browser = Client()
    browser.force_login(user)
    return browser.session.session_key


def test_ends_the_users_browser_sessions_and_tokens_and_no_others():
    now = timezone.now()
    user, other = a_user(), a_user()
    a_browser(user)
    others = a_browser(other)
    for each in (user, other):
        services.start_family(user=each, now=now)

    result = services.sign_out(user=user, now=now)

    assert result == (1, 1)
    assert set(Session.objects.values_list("pk", flat=True)) == {others}
    revoked = TokenFamily.objects.exclude(revoked_at=None)
    assert list(revoked.values_list("user", "revoked_at")) == [(user.pk, now)]


def test_does_not_count_expired_browser_sessions():
    user = a_user()
    a_browser(user)
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))

    assert services.sign_out(user=user, now=timezone.now()) == (0, 0)


def test_a_password_set_in_the_admin_revokes_the_users_tokens():
    user = a_user()
    services.start_family(user=user, now=timezone.now())
    admin = Client()
    admin.force_login(an_admin())

    answer = admin.post(
        reverse("admin:auth_user_password_change", args=[user.pk]),
        {"usable_password": "true", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD},
    )

    assert answer.status_code == 302
    assert not TokenFamily.objects.filter(user=user, revoked_at=None).exists()
