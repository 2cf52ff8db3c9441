from uuid import UUID

from django.db.models import QuerySet

from accounts.models import User
from accounts.tokens import TokenInvalid, TokenRevoked
from spot_optimizer.errors import Missing


def get_signed_in(*, user_id: UUID, family_id: UUID) -> User:
    """
    Return the user whose token names this family, in one query.

    :raises TokenRevoked: the family is revoked or gone, or its user is disabled
    :raises TokenInvalid: the family is another user's
    """
    active = {"token_families__pk": family_id, "token_families__revoked_at": None}
    user = User.objects.filter(**active).order_by().first()
    if user is None or not user.is_active:
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
