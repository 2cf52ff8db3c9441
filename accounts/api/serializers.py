from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers

from accounts.models import User
from spot_optimizer.api.fields import Choice, StrictBoolean

# ASCII only: databases differ in case-insensitive comparison of other characters.
USERNAME = RegexValidator(
    r"\A[A-Za-z0-9._@+-]+\Z", "Use only letters, digits and . _ @ + -, without spaces."
)


class Text(serializers.CharField):
    """A string; DRF's own field also accepts numbers."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class Password(Text):
    def __init__(self) -> None:
        super().__init__(max_length=256, trim_whitespace=False, style={"input_type": "password"})


class RegisterIn(serializers.Serializer):
    email = serializers.EmailField(max_length=254)
    username = Text(max_length=64, validators=[USERNAME])
    password = Password()
    full_name = Text(max_length=200, required=False, allow_blank=True, allow_null=True, default="")

    def validate_email(self, email: str) -> str:
        if not email.isascii():
            raise serializers.ValidationError("Use the ASCII form of the domain (xn--…).")
        return email

    def validate_full_name(self, full_name: str | None) -> str:
        return full_name or ""


class LoginIn(serializers.Serializer):
    email = Text(max_length=254)
    password = Password()


class RefreshIn(serializers.Serializer):
    refresh_token = Text(max_length=2048)


class PasswordIn(serializers.Serializer):
    current_password = Password()
    new_password = Password()


class ProfileIn(serializers.Serializer):
    full_name = Text(max_length=200, required=False, allow_blank=True)
    username = Text(max_length=64, required=False, validators=[USERNAME])


class UserChangeIn(serializers.Serializer):
    role = Choice(choices=User.Role.choices, required=False)
    is_active = StrictBoolean(required=False)


# Declared fields: ModelSerializer would derive them from the model again for every response.
class UserOut(serializers.Serializer):
    id = serializers.UUIDField(read_only=True)
    email = serializers.EmailField(max_length=254)
    username = serializers.CharField(max_length=64)
    full_name = serializers.CharField(max_length=200, required=False)
    role = serializers.ChoiceField(User.Role.choices, required=False)


class ProfileOut(UserOut):
    is_active = serializers.BooleanField(required=False)
    created_at = serializers.DateTimeField(read_only=True)
    last_login = serializers.DateTimeField(required=False, allow_null=True)
    active_sessions_count = serializers.IntegerField(read_only=True)


class TokensOut(serializers.Serializer):
    access_token = serializers.CharField(source="access")
    refresh_token = serializers.CharField(source="refresh")
    token_type = serializers.CharField(default="bearer")
    expires_in = serializers.IntegerField()
    user = UserOut()


class VerifyOut(serializers.Serializer):
    valid = serializers.BooleanField()
    user = UserOut()
    expires_at = serializers.DateTimeField()
