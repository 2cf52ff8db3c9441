"""Exact limits of periods, and the change detection of rarely changing values."""

from datetime import timedelta
from decimal import Decimal

import pytest

from spot_optimizer.aws.client.access import AwsAccess
from spot_optimizer.aws.client.credentials import Credentials
from spot_optimizer.aws.client.deadline import Deadline
from spot_optimizer.aws.on_demand_prices import OnDemandPriceRow
from spot_optimizer.aws.products import LINUX
from spot_optimizer.errors import AwsTimeout
from spot_optimizer.market import refresh, refresh_log
from spot_optimizer.market.arrays import load_snapshot
from spot_optimizer.market.ingest.instance_types import store_instance_types
from spot_optimizer.market.ingest.on_demand_prices import store_on_demand_prices
from spot_optimizer.market.ingest.spot_prices import Span, extend_coverage
from spot_optimizer.market.models import (
    Comparable,
    Coverage,
    InstanceTypeFacts,
    OnDemandPrice,
    Pool,
    Region,
)
from spot_optimizer.market.queries import newest_moment, price_changes
from spot_optimizer.market.testing import REGION, a_market, a_price, a_type
from spot_optimizer.testing import NOON

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)


def snapshot(as_of=NOON, vcpu=2):
    return load_snapshot(
        region=REGION, product=LINUX, as_of=as_of, comparable=Comparable("x86_64", vcpu)
    )


def a_context(seconds=60.0):
    access = AwsAccess(Credentials("AKIAEXAMPLE", "secret"), REGION)
    deadline = Deadline.after(seconds)
    return refresh.RefreshContext(access, {}, LINUX, deadline, NOON, lambda _: None)


class TestSnapshot:
    def test_includes_a_pool_at_the_first_moment_of_its_coverage(self):
        a_market(a_price("0.03", hours=-200), since=NOON - 30 * HOUR)

        assert snapshot(NOON - 30 * HOUR).spot_price.tolist() == [0.03]

    def test_has_a_range_for_exactly_a_day_of_history(self):
        a_market(a_price("0.03", hours=-200), since=NOON - 24 * HOUR)

        assert snapshot().low_7d.tolist() == [0.03]

    def test_range_includes_a_change_at_exactly_that_moment(self):
        a_market(a_price("0.03", hours=-200), a_price("0.09", hours=0))

        assert snapshot().high_7d.tolist() == [0.09]

    def test_half_of_an_odd_number_of_vcpus_is_rounded_up(self):
        assert (Comparable("x86_64", 3).min_vcpus, Comparable("x86_64", 3).max_vcpus) == (2, 6)


class TestCoverage:
    def test_is_merged_with_a_period_that_starts_at_its_end(self):
        a_market(a_price("0.03", hours=-200), since=NOON - HOUR)
        pool = Pool.objects.get().pk

        extend_coverage({pool: Span(NOON, NOON + HOUR)})

        assert Coverage.objects.get().until == NOON + HOUR

    def test_is_never_shortened(self):
        a_market(a_price("0.03", hours=-200), since=NOON - 5 * HOUR)
        pool = Pool.objects.get().pk

        extend_coverage({pool: Span(NOON - 4 * HOUR, NOON - 2 * HOUR)})

        assert Coverage.objects.get().until == NOON


class TestStoreChanges:
    def store(self, price, hours, **since):
        row = OnDemandPriceRow("m5.large", "Linux", Decimal(price), NOON)
        store_on_demand_prices(region=REGION, prices=[row], learned_at=NOON + hours * HOUR, **since)

    def test_compare_with_the_newest_value(self):
        for hours, price in enumerate(["1", "2", "1"]):
            self.store(price, hours)

        assert OnDemandPrice.objects.count() == 3

    def test_ignore_values_from_before_since(self):
        self.store("1", 0)
        self.store("1", 2, since=NOON + HOUR)

        assert OnDemandPrice.objects.count() == 2

    def test_change_the_version_of_the_region(self):
        self.store("1", 0)
        before = Region.objects.get().version

        self.store("1", 1)

        assert Region.objects.get().version != before


def test_instance_type_facts_of_the_same_moment_are_not_replaced():
    store_instance_types([a_type(memory_mib=1)], now=NOON)
    store_instance_types([a_type(memory_mib=2)], now=NOON)

    assert InstanceTypeFacts.objects.get().memory_mib == 1


class TestRefreshLog:
    def is_due(self, now):
        return refresh_log.is_due(region=REGION, what="advisor", every=HOUR, now=now)

    def test_a_refresh_is_due_after_exactly_its_period(self):
        refresh_log.record_refresh(region=REGION, what="advisor", now=NOON)

        assert not self.is_due(NOON + HOUR - MICROSECOND)
        assert self.is_due(NOON + HOUR)

    def test_the_first_full_refresh_does_not_count_before_it_ran(self):
        refresh_log.record_full_refresh(region=REGION, what="advisor", now=NOON)

        def first(at):
            return refresh_log.first_full_refresh(region=REGION, what="advisor", at=at)

        assert first(NOON) == NOON
        assert first(NOON - MICROSECOND) == refresh_log.BEGINNING


class TestFetchNewPrices:
    @pytest.fixture
    def fetched(self, monkeypatch):
        since = []
        monkeypatch.setattr(refresh, "_fetch", lambda context, names, at: since.append(at) or [])
        return since

    def test_are_not_fetched_for_exactly_five_minutes(self, fetched):
        until = NOON - refresh.FRESH

        assert not refresh.fetch_new_prices(a_context(), {"m5.large": until})
        assert fetched == []

    def test_are_fetched_later_with_an_overlap_of_ten_minutes(self, fetched):
        until = NOON - refresh.FRESH - MICROSECOND

        assert refresh.fetch_new_prices(a_context(), {"m5.large": until})
        assert fetched == [until - timedelta(minutes=10)]

    def test_are_not_a_backfill_for_exactly_a_day(self, fetched):
        until = NOON - timedelta(days=1)

        assert not refresh.backfill_prices(a_context(), {"m5.large": until})


def test_an_advisor_failure_after_the_deadline_stops_the_refresh():
    with pytest.raises(AwsTimeout):
        refresh.refresh_advisor_bands(a_context(seconds=0))


class TestQueries:
    def test_newest_moment_includes_a_pool_exactly_ten_minutes_older(self):
        older = NOON - timedelta(minutes=10)
        a_market(a_price("0.04", hours=-200), until=older)
        a_market(a_price("0.04", hours=-200, zone_id="use1-az2"))

        assert newest_moment(region=REGION, product=LINUX) == older

    def test_a_change_is_not_in_force_when_the_next_one_starts(self):
        a_market(a_price("0.04", hours=-100), a_price("0.05", hours=-10))

        changes = price_changes(
            region=REGION, product=LINUX, instance_type="m5.large", since=NOON - 10 * HOUR
        )

        assert [float(change.price) for change in changes] == [0.05]
