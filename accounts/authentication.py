from uuid import UUID

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import User
from accounts.queries import get_signed_in
from accounts.tokens import decode
from spot_optimizer.errors import Unauthenticated


class FamilyAuthentication(BaseAuthentication):
    """
    ``Authorization: Bearer <access token>`` of a token family that is not revoked.

    User and family are read at each request; the token's ``role`` claim is for clients only.
    """

    def authenticate(self, request: Request) -> tuple[User, AccessToken] | None:
        scheme, _, text = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        try:
            token = decode(AccessToken, text.strip())
            user = get_signed_in(user_id=UUID(token["sub"]), family_id=UUID(token["sid"]))
        except Unauthenticated as error:
            # DRF treats the request as anonymous only after an exception of its own.
            raise AuthenticationFailed(str(error), code=error.code) from error
        return user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
