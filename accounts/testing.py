"""Builders for tests of all apps."""

from itertools import count
from typing import Any

from django.utils import timezone
from rest_framework.test import APIClient

from accounts import services
from accounts.models import User

PASSWORD = "correct-Horse-7-battery"  # noqa: S105  # opens nothing but accounts of tests
NEW_PASSWORD = "another-Horse-8-battery"  # noqa: S105  # neither
_numbers = count(1)


def a_user(role: str = User.Role.USER, *, password: str = PASSWORD, **fields: Any) -> User:
    number = next(_numbers)
    defaults = {"email": f"user-{number}@example.com", "username": f"user-{number}"}
    return User.objects.create_user(**defaults | fields, role=role, password=password)


def an_admin(**fields: Any) -> User:
    return a_user(User.Role.ADMIN, **fields)


def signed_in(user: User) -> APIClient:
    """Return a client that sends an access token of this user."""
    tokens = services.start_family(user=user, now=timezone.now())
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.access}")
    return client
