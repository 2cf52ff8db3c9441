from uuid import UUID

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import User
from accounts.queries import get_signed_in
from accounts.tokens import read
from spot_optimizer.errors import Unauthenticated


class FamilyAuthentication(BaseAuthentication):
    """
    ``Authorization: Bearer <access token>``, of a family that still counts.

    User and family are looked up at each request: what the token says of the role is for clients.
    """

    def authenticate(self, request: Request) -> tuple[User, AccessToken] | None:
        scheme, _, text = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        try:
            token = read(AccessToken, text.strip())
            user = get_signed_in(user_id=UUID(token["sub"]), family_id=UUID(token["sid"]))
        except Unauthenticated as refusal:
            # DRF settles on "anonymous" only after an exception of its own.
            raise AuthenticationFailed(str(refusal), code=refusal.code) from refusal
        return user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
