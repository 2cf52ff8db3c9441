from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts import services
from accounts.models import TokenFamily, User
from accounts.pages.forms import PasswordForm, ThrottledAdminLoginForm, UserAddForm, UserEditForm

admin.site.login_form = ThrottledAdminLoginForm
admin.site.unregister(Group)  # permissions come from the role alone


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    """Users can be disabled but not deleted, so that the audit trail keeps its owners."""

    form = UserEditForm
    add_form = UserAddForm
    change_password_form = PasswordForm
    list_display = ("email", "username", "full_name", "role", "is_active", "created_at")
    list_filter = ("role", "is_active")
    search_fields = ("email", "username", "full_name")
    ordering = ("-created_at",)
    filter_horizontal = ()
    readonly_fields = (
        "id",
        "email",
        "new_password",
        "created_at",
        "last_login",
        "active_sessions_count",
    )
    fieldsets = (
        (None, {"fields": ("id", "email", "username", "full_name", "new_password")}),
        ("Rights", {"fields": ("role", "is_active")}),
        ("History", {"fields": ("created_at", "last_login", "active_sessions_count")}),
    )
    add_fieldsets = (
        (None, {"fields": ("email", "username", "full_name", "role", "password1", "password2")}),
    )

    actions = ("sign_out",)

    @admin.action(description="Sign out selected users everywhere", permissions=["change"])
    def sign_out(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            ended = services.sign_out(user=user, now=timezone.now())
            counts = f"{ended.families} by token, {ended.browsers} in browsers"
            self.log_change(request, user, f"Ended all sign-ins: {counts}.")
            message = f"{user.email} is signed out everywhere ({counts})."
            self.message_user(request, message, messages.SUCCESS)

    @admin.display(description="Password")
    def new_password(self, user: User) -> SafeString:
        return format_html('<a href="../password/">{}</a>', "Set a new password")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj else ()

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm, change: Any) -> None:
        super().save_model(request, obj, form, change)
        if change:
            services.change_user(
                user_id=obj.pk, role=obj.role, is_active=obj.is_active, now=timezone.now()
            )

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False


@admin.register(TokenFamily)
class TokenFamilyAdmin(admin.ModelAdmin):
    list_display = ("user", "created_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter), "created_at")
    list_select_related = ("user",)
    search_fields = ("user__email", "user__username")
    exclude = ("current_jti",)
    actions = ("revoke",)

    @admin.action(description="Revoke selected sign-ins", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[TokenFamily]) -> None:
        now = timezone.now()
        for family in queryset:
            services.revoke_family(family=family, now=now)
            self.log_change(request, family, "Revoked the token family.")
        message = f"{len(queryset)} sign-ins were revoked. Their tokens are no longer valid."
        self.message_user(request, message, messages.SUCCESS)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: TokenFamily | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: TokenFamily | None = None) -> bool:
        return False
