from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from accounts.models import TokenFamily, User
from accounts.tokens import TokenInvalid, TokenRevoked
from spot_optimizer.errors import Missing

# Every request asks this. As a queryset, writing the SQL took four times as long as the answer.
SIGNED_IN = f"""
    SELECT account.*, family.revoked_at IS NULL AS counts
    FROM {TokenFamily._meta.db_table} family
    JOIN {User._meta.db_table} account ON account.id = family.user_id
    WHERE family.id = %s
"""  # noqa: S608  # the names are ours


def get_signed_in(*, user_id: UUID, family_id: UUID) -> User:
    """
    Return the user whose token names this family, in one query.

    :raises TokenRevoked: the family is revoked or gone, or its user is disabled
    :raises TokenInvalid: the family is another user's
    """
    key = TokenFamily._meta.pk.get_db_prep_value(family_id, connection)
    user = next(iter(User.objects.raw(SIGNED_IN, [key])), None)
    if user is None or not user.counts or not user.is_active:  # type: ignore[attr-defined]
        raise TokenRevoked("This token no longer counts. Please sign in again.")
    if user.pk != user_id:
        raise TokenInvalid("This token is not valid. Please sign in again.")
    return user


def get_user(user_id: UUID) -> User:
    """
    Return a user, for those who may see all.

    :raises Missing: there is none with this id
    """
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise Missing("There is no such user. Check the id.")
    return user


def all_users() -> QuerySet[User]:
    """Return every user, disabled ones too."""
    return User.objects.all()


def taken(*, email: str = "", username: str = "", but: UUID | None = None) -> dict[str, list[str]]:
    """Return a sentence for each of these names that somebody has already (``but`` excepted)."""
    others = User.objects.exclude(pk=but) if but else User.objects.all()
    told = {}
    if email and others.filter(email=email.lower()).exists():
        told["email"] = ["Somebody has this e-mail already. Sign in, or take another."]
    if username and others.filter(username__iexact=username).exists():
        told["username"] = ["Somebody has this user name already. Take another."]
    return told
