"""Read-only: lines are written by `publish` only, and never changed."""

from django.contrib import admin

from spot_optimizer.admin import ReadOnlyAdmin
from streaming.models import Line, Stream


@admin.register(Stream)
class StreamAdmin(ReadOnlyAdmin):
    list_display = ("id", "last_seq")
    search_fields = ("id",)


@admin.register(Line)
class LineAdmin(ReadOnlyAdmin):
    list_display = ("stream_id", "seq", "at", "type", "body")
    list_filter = ("type",)
    search_fields = ("stream__id",)
