from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AdminPasswordChangeForm, BaseUserCreationForm
from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone

from accounts import services
from accounts.models import User
from accounts.throttles import login_wait
from spot_optimizer.errors import DomainError


class SlowedAdminLoginForm(AdminAuthenticationForm):
    """A log-in to the admin is slowed as one for tokens is, by the same counts."""

    request: HttpRequest

    def clean(self) -> dict[str, Any]:
        try:
            wait = login_wait(self.request, self.cleaned_data.get("username"))
        except DomainError as refusal:
            raise ValidationError(str(refusal)) from refusal
        if wait:
            raise ValidationError(f"Too many attempts. Try again in {wait} seconds.")
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
        except services.LastAdmin as refusal:
            raise ValidationError(str(refusal)) from refusal
        return fields


class PasswordForm(AdminPasswordChangeForm):
    """An administrator's new password for somebody ends all their log-ins."""

    def save(self, commit: bool = True) -> User:  # noqa: FBT001, FBT002  # as Django calls it
        user: User = super().save(commit)
        services.revoke_families(user=user, now=timezone.now())
        return user
