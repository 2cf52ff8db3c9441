"""What users do with their accounts, and administrators with those of others."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid4

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from accounts.models import TokenFamily, User
from accounts.queries import get_user, taken
from accounts.tokens import TokenRevoked, Tokens, read, tokens_of
from spot_optimizer.errors import Conflict, Invalid, Unauthenticated


class InvalidCredentials(Unauthenticated):
    code = "invalid_credentials"


class InvalidPassword(Invalid):
    code = "invalid_password"


class LastAdmin(Conflict):
    code = "last_admin"


class SignedOut(NamedTuple):
    """How many log-ins were ended."""

    families: int
    browsers: int


def register(*, email: str, username: str, password: str, full_name: str) -> User:
    """
    Make an account, always with the role ``user``.

    :raises Invalid: the e-mail or user name is taken, or the password is weak
    """
    user = User(email=email.lower(), username=username, full_name=full_name)
    _refuse(taken(email=email, username=username) | _weak("password", password, user))
    user.set_password(password)  # before the transaction: it takes a quarter of a second
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:
        _refuse(taken(email=email, username=username))  # somebody was faster
        raise
    return user


def get_by_password(*, email: str, password: str) -> User:
    """
    Return the user who knows this password.

    :raises InvalidCredentials: said alike, and as late, for an unknown e-mail, a wrong password
        and a disabled user
    """
    user = User.objects.filter(email=email.lower()).first()
    if user is None:
        make_password(password)  # the work of checking one, or the time would tell
    if user is None or not user.check_password(password) or not user.is_active:
        raise _wrong()
    return user


def log_in(*, email: str, password: str, now: datetime) -> Tokens:
    """
    Sign in.

    :raises InvalidCredentials: as ``get_by_password`` says it
    """
    user = get_by_password(email=email, password=password)
    with transaction.atomic():
        # While we computed, the password may have changed or the user been disabled: then a
        # family that started here would outlive the revocation.
        same = User.objects.filter(pk=user.pk, password=user.password, is_active=True)
        if not same.update(last_login=now):
            raise _wrong()
        user.last_login = now
        return _start_family(user, now)


@transaction.atomic
def start_family(*, user: User, now: datetime) -> Tokens:
    """Sign in a user whom somebody else has made sure of."""
    return _start_family(user, now)


def rotate(*, refresh_token: str, now: datetime) -> Tokens:
    """
    Exchange a refresh token for new tokens; it works once.

    :raises TokenInvalid: it is none of ours
    :raises TokenExpired: it was good once
    :raises TokenRevoked: it was used before, so somebody has a copy: its whole family is revoked;
        or the family or its user was stopped otherwise
    """
    old = read(RefreshToken, refresh_token)
    family = TokenFamily.objects.filter(pk=old["sid"], user=old["sub"], revoked_at=None)
    if not family.filter(current_jti=old["jti"]).update(current_jti=uuid4().hex):
        # No transaction around this: the refusal below would roll the revocation back.
        was_used = family.update(revoked_at=now)
        what = "used before" if was_used else "revoked"
        raise TokenRevoked(f"This token was {what}. Please sign in again.")
    current = TokenFamily.objects.select_related("user").get(pk=old["sid"])
    if not current.user.is_active:
        raise TokenRevoked("This token no longer counts. Please sign in again.")
    return tokens_of(current, now=now)


def log_out(*, refresh_token: str, now: datetime) -> None:
    """
    Revoke the family of a refresh token, a used one too; the second time changes nothing.

    :raises TokenInvalid: it is none of ours
    :raises TokenExpired: it was good once
    """
    token = read(RefreshToken, refresh_token)
    families = TokenFamily.objects.filter(pk=token["sid"], user=token["sub"], revoked_at=None)
    families.update(revoked_at=now)


def revoke_family(*, family: TokenFamily, now: datetime) -> None:
    """Make all tokens of a family fail at once; the second time changes nothing."""
    TokenFamily.objects.filter(pk=family.pk, revoked_at=None).update(revoked_at=now)


def change_password(
    *, user: User, current: str, new: str, used: AccessToken | None, now: datetime
) -> None:
    """
    Set a new password; all log-ins but the one that was ``used`` for it end at once.

    :raises InvalidPassword: ``current`` is not the password
    :raises Invalid: ``new`` is weak
    """
    if not user.check_password(current):
        raise _wrong_password()
    _refuse(_weak("new_password", new, user))
    encoded = make_password(new)
    with transaction.atomic():
        if not User.objects.filter(pk=user.pk, password=user.password).update(password=encoded):
            raise _wrong_password()  # somebody changed it in the meantime
        revoke_families(user=user, but=UUID(used["sid"]) if used else None, now=now)
    user.password = encoded


def revoke_families(*, user: User, but: UUID | None = None, now: datetime) -> int:
    """
    Make all tokens of a user fail at once, those of the family ``but`` excepted.

    Return how many families there were.
    """
    families = TokenFamily.objects.filter(user=user, revoked_at=None)
    return (families.exclude(pk=but) if but else families).update(revoked_at=now)


def sign_out(*, user: User, now: datetime) -> SignedOut:
    """End all log-ins of a user, by token and by cookie. The account itself stays as it is."""
    # A session says whose it is in its sealed content only, so each one is opened.
    live = Session.objects.filter(expire_date__gt=now)
    theirs = [
        session.pk
        for session in live.iterator()
        if session.get_decoded().get(SESSION_KEY) == str(user.pk)
    ]
    with transaction.atomic():
        families = revoke_families(user=user, now=now)
        browsers, _ = Session.objects.filter(pk__in=theirs).delete()
    return SignedOut(families, browsers)


def change_profile(*, user: User, **changes: str) -> None:
    """
    Change ``username`` or ``full_name``.

    :raises Invalid: somebody else has the user name
    """
    username = changes.get("username", "")
    _refuse(taken(username=username, but=user.pk))
    for name, value in changes.items():
        setattr(user, name, value)
    try:
        with transaction.atomic():
            user.save(update_fields=list(changes))
    except IntegrityError:
        _refuse(taken(username=username, but=user.pk))
        raise


@transaction.atomic
def change_user(
    *, user_id: UUID, role: str | None = None, is_active: bool | None = None, now: datetime
) -> User:
    """
    Change somebody's role, or disable or enable them. Disabling ends all their log-ins.

    :raises Missing: there is no such user
    :raises LastAdmin: nobody would be left to administer
    """
    ensure_admin_remains(user_id=user_id, role=role, is_active=is_active)
    asked = {"role": role, "is_active": is_active}
    changes = {name: value for name, value in asked.items() if value is not None}
    if changes:
        User.objects.filter(pk=user_id).update(**changes)
    user = get_user(user_id)
    if not user.is_active:
        revoke_families(user=user, now=now)
    return user


def ensure_admin_remains(*, user_id: UUID, role: str | None, is_active: bool | None) -> None:
    """
    Make sure, until the commit, that an active administrator is left by this change.

    What is None is not changed.

    :raises LastAdmin: there would be none
    """
    # All rows, in one order: two administrators who demote each other must not both succeed.
    admins = User.objects.filter(role=User.Role.ADMIN, is_active=True).order_by("pk")
    ids = [admin.pk for admin in admins.select_for_update(no_key=True)]
    stays = role in (None, User.Role.ADMIN) and is_active is not False
    if ids == [user_id] and not stays:
        raise LastAdmin("This is the last active admin. Make somebody else an admin first.")


def _start_family(user: User, now: datetime) -> Tokens:
    family = TokenFamily.objects.create(user=user, current_jti=uuid4().hex, created_at=now)
    return tokens_of(family, now=now)


def _weak(field: str, password: str, user: User) -> dict[str, list[str]]:
    try:
        validate_password(password, user)
    except ValidationError as error:
        return {field: list(error.messages)}
    return {}


def _refuse(problems: dict[str, list[str]]) -> None:
    if problems:
        raise Invalid(f"Please correct: {', '.join(problems)}.", errors=problems)


def _wrong() -> InvalidCredentials:
    return InvalidCredentials("E-mail or password is wrong. Try again.")


def _wrong_password() -> InvalidPassword:
    return InvalidPassword("The current password is wrong. Try again.")
