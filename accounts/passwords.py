from django.conf import settings
from django.contrib.auth.hashers import BCryptSHA256PasswordHasher


class BCryptHasher(BCryptSHA256PasswordHasher):
    """Django's bcrypt with the work factor from ``BCRYPT_ROUNDS``."""

    rounds = settings.BCRYPT_ROUNDS
