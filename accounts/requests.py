from rest_framework.request import Request
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import User


class UserRequest(Request):
    """The request of an authenticated view; ``auth`` is None with a session cookie."""

    user: User
    auth: AccessToken | None
