"""What users do with their own accounts, and administrators with all accounts."""

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
from accounts.queries import conflicting_fields, get_user
from accounts.tokens import TokenRevoked, Tokens, decode, issue_tokens
from spot_optimizer.errors import Conflict, Invalid, Unauthenticated


class InvalidCredentials(Unauthenticated):
    code = "invalid_credentials"


class InvalidPassword(Invalid):
    code = "invalid_password"


class LastAdmin(Conflict):
    code = "last_admin"


class SignedOut(NamedTuple):
    """The numbers of sign-ins ended."""

    families: int
    browsers: int


def register(*, email: str, username: str, password: str, full_name: str) -> User:
    """
    Create an account, always with the role ``user``.

    :raises Invalid: the e-mail or user name is taken, or the password is weak
    """
    user = User(email=email.lower(), username=username, full_name=full_name)
    _raise_for(
        conflicting_fields(email=email, username=username)
        | _weak_password("password", password, user)
    )
    user.set_password(password)  # outside the transaction: hashing takes a quarter of a second
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:
        _raise_for(conflicting_fields(email=email, username=username))  # a simultaneous request
        raise
    return user


def get_by_password(*, email: str, password: str) -> User:
    """
    Return the user with this e-mail and password.

    :raises InvalidCredentials: the same error after the same time for an unknown e-mail, a wrong
        password and a disabled user
    """
    user = User.objects.filter(email=email.lower()).first()
    if user is None:
        make_password(password)  # takes as long as a check, so timing reveals no accounts
    if user is None or not user.check_password(password) or not user.is_active:
        raise _invalid_credentials()
    return user


def log_in(*, email: str, password: str, now: datetime) -> Tokens:
    """
    Sign in.

    :raises InvalidCredentials: as ``get_by_password`` does
    """
    user = get_by_password(email=email, password=password)
    with transaction.atomic():
        # If the password was changed or the user disabled during the check, a family that
        # started here would outlive the revocation.
        unchanged = User.objects.filter(pk=user.pk, password=user.password, is_active=True)
        if not unchanged.update(last_login=now):
            raise _invalid_credentials()
        user.last_login = now
        return _start_family(user, now)


@transaction.atomic
def start_family(*, user: User, now: datetime) -> Tokens:
    """Sign in a user whom the caller has authenticated."""
    return _start_family(user, now)


def rotate(*, refresh_token: str, now: datetime) -> Tokens:
    """
    Exchange a refresh token for new tokens; it works once.

    :raises TokenInvalid: the token is not valid
    :raises TokenExpired: it has expired
    :raises TokenRevoked: it was used before, so there is a copy, and its whole family is revoked;
        or the family was revoked or its user disabled before
    """
    old = decode(RefreshToken, refresh_token)
    family = TokenFamily.objects.filter(pk=old["sid"], user=old["sub"], revoked_at=None)
    if not family.filter(current_jti=old["jti"]).update(current_jti=uuid4().hex):
        # Not in a transaction: the exception below would roll the revocation back.
        was_used = family.update(revoked_at=now)
        reason = "used before" if was_used else "revoked"
        raise TokenRevoked(f"This token was {reason}. Please sign in again.")
    current = TokenFamily.objects.select_related("user").get(pk=old["sid"])
    if not current.user.is_active:
        raise TokenRevoked("This token was revoked. Please sign in again.")
    return issue_tokens(current, now=now)


def log_out(*, refresh_token: str, now: datetime) -> None:
    """
    Revoke the family of a refresh token, even a used one; idempotent.

    :raises TokenInvalid: the token is not valid
    :raises TokenExpired: it has expired
    """
    token = decode(RefreshToken, refresh_token)
    families = TokenFamily.objects.filter(pk=token["sid"], user=token["sub"], revoked_at=None)
    families.update(revoked_at=now)


def revoke_family(*, family: TokenFamily, now: datetime) -> None:
    """Revoke all tokens of a family; idempotent."""
    TokenFamily.objects.filter(pk=family.pk, revoked_at=None).update(revoked_at=now)


def change_password(
    *, user: User, current: str, new: str, access_token: AccessToken | None, now: datetime
) -> None:
    """
    Set a new password and end all sign-ins except the one of ``access_token``.

    :raises InvalidPassword: ``current`` is not the password
    :raises Invalid: ``new`` is weak
    """
    if not user.check_password(current):
        raise _wrong_password()
    _raise_for(_weak_password("new_password", new, user))
    encoded = make_password(new)
    with transaction.atomic():
        if not User.objects.filter(pk=user.pk, password=user.password).update(password=encoded):
            raise _wrong_password()  # it was changed during the check
        current_family = UUID(access_token["sid"]) if access_token else None
        revoke_families(user=user, exclude=current_family, now=now)
    user.password = encoded


def revoke_families(*, user: User, exclude: UUID | None = None, now: datetime) -> int:
    """
    Revoke all tokens of a user except those of the family ``exclude``.

    Return the number of families revoked.
    """
    families = TokenFamily.objects.filter(user=user, revoked_at=None)
    return (families.exclude(pk=exclude) if exclude else families).update(revoked_at=now)


def sign_out(*, user: User, now: datetime) -> SignedOut:
    """End all sign-ins of a user, by token and by cookie."""
    # A browser session names its user only in its encoded data, so each one is decoded.
    unexpired = Session.objects.filter(expire_date__gt=now)
    session_ids = [
        session.pk
        for session in unexpired.iterator()
        if session.get_decoded().get(SESSION_KEY) == str(user.pk)
    ]
    with transaction.atomic():
        families = revoke_families(user=user, now=now)
        browsers, _ = Session.objects.filter(pk__in=session_ids).delete()
    return SignedOut(families, browsers)


def change_profile(*, user: User, **changes: str) -> None:
    """
    Change ``username`` or ``full_name``.

    :raises Invalid: another user has the user name
    """
    username = changes.get("username", "")
    _raise_for(conflicting_fields(username=username, exclude=user.pk))
    for name, value in changes.items():
        setattr(user, name, value)
    try:
        with transaction.atomic():
            user.save(update_fields=list(changes))
    except IntegrityError:
        _raise_for(conflicting_fields(username=username, exclude=user.pk))
        raise


@transaction.atomic
def change_user(
    *, user_id: UUID, role: str | None = None, is_active: bool | None = None, now: datetime
) -> User:
    """
    Change a user's role, or disable or enable the account. Disabling ends all sign-ins.

    :raises Missing: there is no such user
    :raises LastAdmin: no active administrator would remain
    """
    ensure_admin_remains(user_id=user_id, role=role, is_active=is_active)
    fields = {"role": role, "is_active": is_active}
    changes = {name: value for name, value in fields.items() if value is not None}
    if changes:
        User.objects.filter(pk=user_id).update(**changes)
    user = get_user(user_id)
    if not user.is_active:
        revoke_families(user=user, now=now)
    return user


def ensure_admin_remains(*, user_id: UUID, role: str | None, is_active: bool | None) -> None:
    """
    Check that an active administrator remains after this change, and lock them until commit.

    ``role`` and ``is_active`` are None where unchanged.

    :raises LastAdmin: none would remain
    """
    # Lock all rows in one order: two administrators who demote each other must not both succeed.
    admins = User.objects.filter(role=User.Role.ADMIN, is_active=True).order_by("pk")
    ids = [admin.pk for admin in admins.select_for_update(no_key=True)]
    remains_admin = role in (None, User.Role.ADMIN) and is_active is not False
    if ids == [user_id] and not remains_admin:
        raise LastAdmin("This is the last active admin. Make another user an admin first.")


def _start_family(user: User, now: datetime) -> Tokens:
    family = TokenFamily.objects.create(user=user, current_jti=uuid4().hex, created_at=now)
    return issue_tokens(family, now=now)


def _weak_password(field: str, password: str, user: User) -> dict[str, list[str]]:
    try:
        validate_password(password, user)
    except ValidationError as error:
        return {field: list(error.messages)}
    return {}


def _raise_for(errors: dict[str, list[str]]) -> None:
    if errors:
        raise Invalid(f"Please correct: {', '.join(errors)}.", errors=errors)


def _invalid_credentials() -> InvalidCredentials:
    return InvalidCredentials("E-mail or password is wrong. Try again.")


def _wrong_password() -> InvalidPassword:
    return InvalidPassword("The current password is wrong. Try again.")
