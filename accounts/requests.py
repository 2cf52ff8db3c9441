from rest_framework.request import Request
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import User


class UserRequest(Request):
    """The request of a view behind a log-in; ``auth`` is None where a session cookie was used."""

    user: User
    auth: AccessToken | None
