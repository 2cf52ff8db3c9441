from uuid import UUID

from django.db.models import QuerySet

from accounts.models import User
from accounts.tokens import TokenInvalid, TokenRevoked
from spot_optimizer.errors import Missing


def get_signed_in(*, user_id: UUID, family_id: UUID) -> User:
    """
    Return the user of a token family, in one query.

    :raises TokenRevoked: the family is revoked or deleted, or its user is disabled
    :raises TokenInvalid: the family belongs to another user
    """
    revoked = TokenRevoked("This token was revoked. Please sign in again.")
    try:
        user = User.objects.get(token_families__pk=family_id, token_families__revoked_at=None)
    except User.DoesNotExist:
        raise revoked from None
    if not user.is_active:
        raise revoked
    if user.pk != user_id:
        raise TokenInvalid("This token is not valid. Please sign in again.")
    return user


def get_user(user_id: UUID) -> User:
    """
    Return any user, for administrators.

    :raises Missing: no user has this id
    """
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise Missing("No such user. Check the ID.")
    return user


def all_users() -> QuerySet[User]:
    """Return all users, including disabled ones."""
    return User.objects.all()


def conflicting_fields(
    *, email: str = "", username: str = "", exclude: UUID | None = None
) -> dict[str, list[str]]:
    """Return an error message for each field that a user other than ``exclude`` already has."""
    others = User.objects.exclude(pk=exclude) if exclude else User.objects.all()
    errors = {}
    if email and others.filter(email=email.lower()).exists():
        errors["email"] = ["This e-mail is already registered. Sign in, or use another."]
    if username and others.filter(username__iexact=username).exists():
        errors["username"] = ["This user name is already in use. Choose another."]
    return errors
