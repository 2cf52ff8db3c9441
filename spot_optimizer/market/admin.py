from django.contrib import admin

from spot_optimizer.admin import ReadOnlyAdmin
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


@admin.register(Region)
class RegionAdmin(ReadOnlyAdmin):
    list_display = ["name"]
    exclude = ["version"]


@admin.register(Pool)
class PoolAdmin(ReadOnlyAdmin):
    list_display = ["instance_type", "zone_id", "product", "region"]
    list_filter = ["region", "product"]
    search_fields = ["=instance_type", "=zone_id"]


@admin.register(SpotPrice)
class SpotPriceAdmin(ReadOnlyAdmin):
    list_display = ["pool", "at", "price"]
    ordering = ["-pk"]  # by time would sort the whole table
    list_select_related = ["pool"]
    search_fields = ["=pool__instance_type", "=pool__zone_id"]


@admin.register(Coverage)
class CoverageAdmin(ReadOnlyAdmin):
    list_display = ["pool", "since", "until"]
    list_select_related = ["pool"]
    search_fields = ["=pool__instance_type", "=pool__zone_id"]


@admin.register(WatchedType)
class WatchedTypeAdmin(ReadOnlyAdmin):
    list_display = ["instance_type", "region", "product", "until"]
    list_filter = ["region", "product"]
    search_fields = ["=instance_type"]


@admin.register(Refresh)
class RefreshAdmin(ReadOnlyAdmin):
    list_display = ["region", "what", "refreshed_at"]
    list_filter = ["region"]


@admin.register(OnDemandPrice)
class OnDemandPriceAdmin(ReadOnlyAdmin):
    list_display = ["instance_type", "region", "operating_system", "price", "at"]
    list_filter = ["region", "operating_system"]
    search_fields = ["=instance_type"]


@admin.register(AdvisorBand)
class AdvisorBandAdmin(ReadOnlyAdmin):
    list_display = ["instance_type", "region", "operating_system", "band", "savings_percent", "at"]
    list_filter = ["region", "operating_system", "band"]
    search_fields = ["=instance_type"]


@admin.register(InstanceTypeFacts)
class InstanceTypeFactsAdmin(ReadOnlyAdmin):
    list_display = ["name", "vcpu", "memory_mib", "accelerator", "accelerators", "burstable"]
    list_filter = ["burstable", "bare_metal", "current_generation"]
    search_fields = ["name"]
