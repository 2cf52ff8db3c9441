from collections.abc import Collection
from typing import TYPE_CHECKING, ClassVar

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.models import User

if TYPE_CHECKING:
    from rest_framework.views import APIView  # imports permissions for its settings


class HasRole(BasePermission):
    """Allow users with one of these roles; others get ``role_required``."""

    roles: ClassVar[Collection[str]]
    message = "Your role does not allow this. Ask an administrator for another role."
    code = "role_required"

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return getattr(request.user, "role", None) in self.roles


class IsAdmin(HasRole):
    roles = frozenset({User.Role.ADMIN})


class IsLab(HasRole):
    roles = frozenset({User.Role.ADMIN, User.Role.LAB})
