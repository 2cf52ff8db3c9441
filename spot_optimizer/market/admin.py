from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from spot_optimizer.market.models import (
    AdvisorBand,
    Coverage,
    InstanceTypeFacts,
    OnDemandPrice,
    Pool,
    Refresh,
    Region,
    SpotPrice,
    WatchedType,
)


class ForLooking(admin.ModelAdmin):
    """What was learned from AWS is not for people to change."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Region)
class RegionAdmin(ForLooking):
    list_display = ["name"]
    exclude = ["version"]


@admin.register(Pool)
class PoolAdmin(ForLooking):
    list_display = ["instance_type", "zone_id", "product", "region"]
    list_filter = ["region", "product"]
    search_fields = ["=instance_type", "=zone_id"]


@admin.register(SpotPrice)
class SpotPriceAdmin(ForLooking):
    list_display = ["pool", "at", "price"]
    ordering = ["-pk"]  # by time would sort the whole table
    list_select_related = ["pool"]
    search_fields = ["=pool__instance_type", "=pool__zone_id"]


@admin.register(Coverage)
class CoverageAdmin(ForLooking):
    list_display = ["pool", "since", "until"]
    list_select_related = ["pool"]
    search_fields = ["=pool__instance_type", "=pool__zone_id"]


@admin.register(WatchedType)
class WatchedTypeAdmin(ForLooking):
    list_display = ["instance_type", "region", "product", "until"]
    list_filter = ["region", "product"]
    search_fields = ["=instance_type"]


@admin.register(Refresh)
class RefreshAdmin(ForLooking):
    list_display = ["region", "what", "refreshed_at"]
    list_filter = ["region"]


@admin.register(OnDemandPrice)
class OnDemandPriceAdmin(ForLooking):
    list_display = ["instance_type", "region", "operating_system", "price", "at"]
    list_filter = ["region", "operating_system"]
    search_fields = ["=instance_type"]


@admin.register(AdvisorBand)
class AdvisorBandAdmin(ForLooking):
    list_display = ["instance_type", "region", "operating_system", "band", "savings_percent", "at"]
    list_filter = ["region", "operating_system", "band"]
    search_fields = ["=instance_type"]


@admin.register(InstanceTypeFacts)
class InstanceTypeFactsAdmin(ForLooking):
    list_display = ["name", "vcpu", "memory_mib", "accelerator", "accelerators", "burstable"]
    list_filter = ["burstable", "bare_metal", "current_generation"]
    search_fields = ["name"]
