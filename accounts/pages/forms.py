from typing import Any

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AdminPasswordChangeForm, BaseUserCreationForm
from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone

from accounts import services
from accounts.api.serializers import LoginIn, RegisterIn
from accounts.models import User
from accounts.throttles import enforce, login_wait
from spot_optimizer.dashboard.forms import ApiForm, Text
from spot_optimizer.errors import DomainError


class SignInForm(ApiForm):
    serializer = LoginIn

    email = Text(label="E-mail", widget=forms.EmailInput, autocomplete="username")
    password = Text(label="Password", widget=forms.PasswordInput, autocomplete="current-password")


class RegisterForm(ApiForm):
    serializer = RegisterIn

    email = Text(label="E-mail", widget=forms.EmailInput, autocomplete="username")
    username = Text(
        label="User name", autocomplete="nickname", help_text="Letters, digits and . _ @ + -"
    )
    full_name = Text(label="Full name (optional)", required=False, autocomplete="name")
    password = Text(
        label="Password",
        widget=forms.PasswordInput,
        autocomplete="new-password",
        help_text="At least 8 characters, and not a commonly used password.",
    )


class ThrottledAdminLoginForm(AdminAuthenticationForm):
    """The admin's sign-in counts toward the same rate limits as the API's."""

    request: HttpRequest

    def clean(self) -> dict[str, Any]:
        try:
            enforce(login_wait(self.request, self.cleaned_data.get("username")))
        except DomainError as error:
            raise ValidationError(str(error)) from error
        return super().clean()


class UserAddForm(BaseUserCreationForm):
    class Meta:
        model = User
        fields = ("email", "username", "full_name", "role")


class UserEditForm(ModelForm):
    class Meta:
        model = User
        fields = ("username", "full_name", "role", "is_active")

    def clean(self) -> dict[str, Any]:
        fields = super().clean() or {}
        try:
            services.ensure_admin_remains(
                user_id=self.instance.pk,
                role=fields.get("role"),
                is_active=fields.get("is_active"),
            )
        except services.LastAdmin as error:
            raise ValidationError(str(error)) from error
        return fields


class PasswordForm(AdminPasswordChangeForm):
    """Setting a user's password ends all sign-ins of that user."""

    def save(self, commit: bool = True) -> User:  # noqa: FBT001, FBT002  # as Django calls it
        user: User = super().save(commit)
        services.revoke_families(user=user, now=timezone.now())
        return user
