"""
Market data, with zone *ids*: the names of zones differ between accounts.

A price is stored when it changes, and is in force until the next change. Prices and bands are never
updated; only the end of the period in which they are complete is.
"""

from datetime import datetime
from typing import NamedTuple, Self
from uuid import uuid4

from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Cast

# Maximum lengths of names in AWS, with some reserve.
NAME = 32
PRODUCT = 64


class Region(models.Model):
    """A region with stored market data."""

    name = models.CharField(primary_key=True, max_length=NAME)
    # Changes with each write to the region's data: part of the key of cached snapshots.
    version = models.UUIDField(default=uuid4)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class PoolQuerySet(models.QuerySet["Pool"]):
    def known(self, *, at: datetime) -> Self:
        """Those whose price at ``at`` is known."""
        return self.filter(Exists(coverage_at(at)))


def coverage_at(at: datetime) -> models.QuerySet["Coverage"]:
    """Return the periods of a pool (``OuterRef("pk")``) that include ``at``."""
    return Coverage.objects.filter(pool=OuterRef("pk"), since__lte=at, until__gte=at)


def in_force(field: str, *, at: datetime) -> Subquery:
    """Return ``field`` of a pool's price in force at ``at``, or None."""
    changes = SpotPrice.objects.filter(pool=OuterRef("pk"), at__lte=at).order_by("-at")
    return Subquery(changes.values(field)[:1])


class Pool(models.Model):
    """A spot pool: an instance type in a zone, for a product. It has one price at a time."""

    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="pools")
    zone_id = models.CharField(max_length=NAME)
    instance_type = models.CharField(max_length=NAME)
    product = models.CharField(max_length=PRODUCT)

    objects = PoolQuerySet.as_manager()

    class Meta:
        ordering = ["instance_type", "zone_id", "product"]
        constraints = [
            models.UniqueConstraint(
                fields=["region", "product", "instance_type", "zone_id"],
                name="market_pool_is_known_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.instance_type} in {self.zone_id} ({self.product})"


class SpotPrice(models.Model):
    """From ``at`` on, an hour in the pool costs ``price``. [USD/h]"""

    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="prices", db_index=False)
    at = models.DateTimeField()
    price = models.DecimalField(max_digits=12, decimal_places=6)

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["pool", "at"], name="market_spotprice_is_the_only_one"),
            models.CheckConstraint(name="market_spotprice_is_above_zero", condition=Q(price__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.price} USD/h"


class Coverage(models.Model):
    """From ``since`` to ``until`` all changes of the pool's price are stored."""

    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="coverage")
    since = models.DateTimeField()
    until = models.DateTimeField()

    class Meta:
        ordering = ["pool", "since"]
        verbose_name_plural = "coverage"
        constraints = [
            models.UniqueConstraint(fields=["pool", "since"], name="market_coverage_begins_once"),
            models.CheckConstraint(
                name="market_coverage_does_not_end_before_it_begins",
                condition=Q(until__gte=F("since")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M}"


class WatchedType(models.Model):
    """A type whose spot prices each refresh fetches; up to ``until`` they are complete."""

    region = models.ForeignKey(Region, on_delete=models.CASCADE, related_name="watched_types")
    product = models.CharField(max_length=PRODUCT)
    instance_type = models.CharField(max_length=NAME)
    until = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["region", "instance_type"]
        constraints = [
            models.UniqueConstraint(
                fields=["region", "product", "instance_type"],
                name="market_watchedtype_is_watched_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.instance_type} in {self.region_id} ({self.product})"


class Refresh(models.Model):
    """When data that changes rarely was last fetched for a region."""

    region = models.ForeignKey(Region, on_delete=models.CASCADE, related_name="refreshes")
    what = models.CharField(max_length=64)
    refreshed_at = models.DateTimeField()

    class Meta:
        ordering = ["region", "what"]
        verbose_name_plural = "refreshes"
        constraints = [
            models.UniqueConstraint(fields=["region", "what"], name="market_refresh_is_noted_once")
        ]

    def __str__(self) -> str:
        return f"{self.what} of {self.region_id}"


class OnDemandPrice(models.Model):
    """At ``at`` we learned that an hour on demand costs ``price``. [USD/h]"""

    region = models.ForeignKey(Region, on_delete=models.CASCADE, related_name="on_demand_prices")
    instance_type = models.CharField(max_length=NAME)
    operating_system = models.CharField(max_length=NAME)
    at = models.DateTimeField()
    price = models.DecimalField(max_digits=12, decimal_places=6)

    class Meta:
        ordering = ["region", "instance_type", "-at"]
        constraints = [
            models.UniqueConstraint(
                fields=["region", "operating_system", "instance_type", "at"],
                name="market_ondemandprice_is_the_only_one",
            ),
            models.CheckConstraint(
                name="market_ondemandprice_is_above_zero", condition=Q(price__gt=0)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instance_type}: {self.price} USD/h"


class AdvisorBand(models.Model):
    """At ``at`` we learned the Spot Advisor's interruption band of the type."""

    region = models.ForeignKey(Region, on_delete=models.CASCADE, related_name="advisor_bands")
    instance_type = models.CharField(max_length=NAME)
    operating_system = models.CharField(max_length=NAME)
    at = models.DateTimeField()
    band = models.SmallIntegerField()
    savings_percent = models.SmallIntegerField()

    class Meta:
        ordering = ["region", "instance_type", "-at"]
        constraints = [
            models.UniqueConstraint(
                fields=["region", "operating_system", "instance_type", "at"],
                name="market_advisorband_is_the_only_one",
            ),
            models.CheckConstraint(
                name="market_advisorband_is_one_of_five", condition=Q(band__range=(0, 4))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instance_type}: band {self.band}"


class Comparable(NamedTuple):
    """Which types are comparable: the architecture, and from half to twice the vCPUs."""

    architecture: str
    vcpu: int

    @property
    def min_vcpus(self) -> int:
        return -(-self.vcpu // 2)

    @property
    def max_vcpus(self) -> int:
        return 2 * self.vcpu


class InstanceTypeFactsQuerySet(models.QuerySet["InstanceTypeFacts"]):
    def comparable_to(self, size: Comparable) -> Self:
        """Those of the same architecture and a comparable number of vCPUs, by name."""
        near = self.filter(vcpu__range=(size.min_vcpus, size.max_vcpus))
        # SQLite has no "contains" lookup for JSON lists, so this searches the list's text.
        text = Cast("architectures", models.TextField())
        matching = near.alias(text=text).filter(text__contains=f'"{size.architecture}"')
        return matching.order_by("name")


class InstanceTypeFacts(models.Model):
    """The facts of an instance type, the same in every region."""

    name = models.CharField(primary_key=True, max_length=NAME)
    vcpu = models.PositiveIntegerField()
    memory_mib = models.PositiveIntegerField()
    architectures = models.JSONField()
    accelerator = models.CharField(max_length=64, blank=True, default="")
    accelerators = models.PositiveIntegerField(default=0)
    local_storage_gb = models.FloatField(default=0)
    bare_metal = models.BooleanField()
    burstable = models.BooleanField()
    ena = models.CharField(max_length=16)
    nvme = models.CharField(max_length=16)
    virtualization_types = models.JSONField()
    boot_modes = models.JSONField()
    usage_classes = models.JSONField()
    hypervisor = models.CharField(max_length=16, blank=True, default="")
    current_generation = models.BooleanField()
    network_interfaces = models.PositiveIntegerField(default=0)
    refreshed_at = models.DateTimeField()

    objects = InstanceTypeFactsQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "instance type facts"
        indexes = [models.Index(fields=["vcpu"], name="market_facts_by_vcpu")]
        constraints = [
            models.CheckConstraint(
                name="market_facts_have_a_size", condition=Q(vcpu__gt=0, memory_mib__gt=0)
            ),
            models.CheckConstraint(
                name="market_facts_name_the_accelerators_they_count",
                condition=Q(accelerators=0, accelerator="")
                | (Q(accelerators__gt=0) & ~Q(accelerator="")),
            ),
        ]

    def __str__(self) -> str:
        return self.name
