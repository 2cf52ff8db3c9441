"""For looking: lines are written by `publish` only, and never changed."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from streaming.models import Line, Stream


class ReadOnlyAdmin(admin.ModelAdmin):
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Stream)
class StreamAdmin(ReadOnlyAdmin):
    list_display = ("id", "last_seq")
    search_fields = ("id",)


@admin.register(Line)
class LineAdmin(ReadOnlyAdmin):
    list_display = ("stream_id", "seq", "at", "type", "body")
    list_filter = ("type",)
    search_fields = ("stream__id",)
