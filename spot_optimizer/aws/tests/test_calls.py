"""Each thing we ask of AWS, asked of the emulator over the fake_aws."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from spot_optimizer.aws.iam_policy import MOVE_ACTIONS, READ_ACTIONS
from spot_optimizer.aws.identity import caller_identity
from spot_optimizer.aws.instance_types import comparable_instance_types, instance_types_named
from spot_optimizer.aws.instances import describe_instance
from spot_optimizer.aws.on_demand_prices import on_demand_prices
from spot_optimizer.aws.permissions import check_permissions
from spot_optimizer.aws.products import NoPrices, product_of
from spot_optimizer.aws.spot_advisor import spot_advisor
from spot_optimizer.aws.spot_prices import spot_prices
from spot_optimizer.aws.spot_requests import interruption_signal
from spot_optimizer.aws.tests.conftest import an_access, soon
from spot_optimizer.aws.zones import zone_ids
from spot_optimizer.errors import AwsRefused, AwsTimeout


def a_spot_instance(emulator):
    return emulator.instances("spot")[0]


class TestCallerIdentity:
    def test_returns_the_account(self, access, emulator):
        identity = caller_identity(access, deadline=soon())

        assert identity.account == emulator.account_id
        assert identity.arn.startswith(f"arn:aws:iam::{emulator.account_id}:")


class TestDescribeInstance:
    def test_returns_what_an_evaluation_needs(self, access, emulator):
        wanted = a_spot_instance(emulator)

        instance = describe_instance(access, wanted["instance_id"], deadline=soon())

        assert instance.instance_type == wanted["instance_type"]
        assert instance.zone == wanted["availability_zone"]
        assert (instance.state, instance.lifecycle) == ("running", "spot")
        assert instance.spot_request_id
        assert instance.virtualization_type == "hvm"
        assert instance.platform_details == "Linux/UNIX"
        assert instance.launch_time.tzinfo is not None

    def test_recognizes_an_on_demand_instance(self, access, emulator):
        wanted = next(i for i in emulator.instances() if i["lifecycle"] != "spot")

        instance = describe_instance(access, wanted["instance_id"], deadline=soon())

        assert (instance.lifecycle, instance.spot_request_id) == ("on_demand", None)

    @pytest.mark.parametrize("instance_id", ["i-test-1", "i-0123456789abcdef0"])
    def test_raises_the_error_code_of_aws_for_an_unknown_instance(self, access, instance_id):
        with pytest.raises(AwsRefused) as refusal:
            describe_instance(access, instance_id, deadline=soon())

        assert refusal.value.code in {
            "aws_InvalidInstanceID.Malformed",
            "aws_InvalidInstanceID.NotFound",
        }

    @pytest.mark.parametrize(
        ("element", "expected"),
        [
            ("<bootMode>uefi</bootMode>", "uefi"),
            ("<bootMode>uefi-preferred</bootMode>", None),
            ("", None),
        ],
    )
    def test_returns_a_boot_mode_only_if_it_is_the_only_one(self, fake_aws, element, expected):
        fake_aws.respond(
            "<DescribeInstancesResponse><reservationSet><item><instancesSet><item>"
            "<instanceId>i-1</instanceId><imageId>ami-1</imageId><instanceType>m5.large"
            "</instanceType><placement><availabilityZone>us-east-1a</availabilityZone></placement>"
            "<instanceState><name>running</name></instanceState><architecture>x86_64"
            "</architecture><virtualizationType>hvm</virtualizationType>"
            f"<launchTime>2026-01-01T00:00:00.000Z</launchTime>{element}"
            "</item></instancesSet></item></reservationSet></DescribeInstancesResponse>"
        )

        instance = describe_instance(an_access(), "i-1", deadline=soon())

        assert instance.boot_mode == expected
        assert instance.launch_time == datetime(2026, 1, 1, tzinfo=UTC)
        assert instance.platform_details == "Linux/UNIX"


class TestTypes:
    def test_returns_the_facts_of_named_types(self, access):
        facts = {
            row.name: row
            for row in instance_types_named(access, ["m5.large", "g4dn.xlarge"], deadline=soon())
        }

        m5, g4dn = facts["m5.large"], facts["g4dn.xlarge"]
        assert (m5.vcpu, m5.memory_mib, m5.architectures) == (2, 8192, ("x86_64",))
        assert (m5.ena, m5.nvme, m5.hypervisor) == ("required", "required", "nitro")
        assert (m5.accelerator, m5.accelerators, m5.local_storage_gb) == (None, 0, 0)
        assert "spot" in m5.usage_classes
        assert (g4dn.accelerator, g4dn.accelerators) == ("NVIDIA T4", 1)
        assert g4dn.local_storage_gb == 125

    def test_names_a_fraction_of_a_gpu_differently(self, access):
        [facts] = instance_types_named(access, ["g6f.2xlarge"], deadline=soon())

        assert (facts.accelerator, facts.accelerators) == ("NVIDIA L4, 0.25 of one", 1)

    def test_requests_all_pages_of_comparable_types(self, access):
        pages = list(
            comparable_instance_types(
                access, architecture="x86_64", vcpus=[1, 2, 3, 4], deadline=soon()
            )
        )

        facts = [row for page in pages for row in page]
        assert len(pages) > 1
        assert {row.vcpu for row in facts} == {1, 2, 4}
        assert all("x86_64" in row.architectures for row in facts)
        assert len({row.name for row in facts}) == len(facts)

    def test_raises_for_an_unknown_name(self, access):
        with pytest.raises(AwsRefused) as refusal:
            instance_types_named(access, ["m5.nothing"], deadline=soon())

        assert refusal.value.code == "aws_InvalidInstanceType"


class TestZoneIds:
    def test_maps_zone_names_to_ids(self, access):
        zones = zone_ids(access, deadline=soon())

        assert all(name.startswith(access.region) for name in zones)
        assert len(set(zones.values())) == len(zones) == 3


class TestSpotPrices:
    def fetch(self, access, **changes):
        arguments = {
            "instance_types": ["m5.large", "c5.large"],
            "products": ["Linux/UNIX"],
            "zone_ids": zone_ids(access, deadline=soon()),
            "since": datetime.now(UTC) - timedelta(days=8),
            "deadline": soon(),
        }
        return list(spot_prices(access, **arguments | changes))

    def test_include_the_price_in_force_at_the_start(self, access):
        since = datetime.now(UTC) - timedelta(days=2)

        prices = [price for page in self.fetch(access, since=since) for price in page]

        first = {}
        for price in sorted(prices, key=lambda price: price.at):
            first.setdefault((price.instance_type, price.zone_id), price)
        assert len(first) == 6
        assert all(price.at <= since for price in first.values())
        assert all(price.product == "Linux/UNIX" for price in prices)
        assert all(price.price > 0 for price in prices)

    def test_are_yielded_page_by_page(self, access):
        names = [
            row.name
            for page in comparable_instance_types(
                access, architecture="x86_64", vcpus=[2, 4], deadline=soon()
            )
            for row in page
        ]

        pages = self.fetch(access, instance_types=names)

        assert len(pages) > 1
        keys = [(*price[:3], price.at) for page in pages for price in page]
        assert len(set(keys)) == len(keys)

    def test_are_not_requested_after_the_deadline(self, access):
        pages = spot_prices(
            access,
            instance_types=["m5.large"],
            products=["Linux/UNIX"],
            zone_ids={},
            since=datetime.now(UTC),
            deadline=soon(0),
        )

        with pytest.raises(AwsTimeout):
            next(pages)


class TestOnDemandPrices:
    def test_have_one_price_for_each_type(self, access):
        pages = list(on_demand_prices(access, operating_system="Linux", deadline=soon()))

        prices = [price for page in pages for price in page]
        assert len(pages) > 1
        assert len({price.instance_type for price in prices}) == len(prices)
        assert all(price.price > 0 for price in prices)

    def test_can_be_requested_for_one_type(self, access):
        [page] = on_demand_prices(
            access, operating_system="Linux", instance_type="m5.large", deadline=soon()
        )

        [price] = page
        assert price.instance_type == "m5.large"
        assert price.since.tzinfo is not None
        assert Decimal("0.05") < price.price < Decimal("0.2")


class TestSpotAdvisor:
    def test_returns_bands_without_credentials(self, access):
        advisor = spot_advisor(deadline=soon())

        rows = [row for row in advisor.rows if row.region == access.region]
        assert {"Linux", "Windows"} == {row.operating_system for row in rows}
        assert {row.band for row in rows} <= set(range(5))
        assert advisor.modified_at.tzinfo is not None


class TestInterruptionSignal:
    def signal(self, access, emulator):
        wanted = a_spot_instance(emulator)["instance_id"]
        instance = describe_instance(access, wanted, deadline=soon())
        return interruption_signal(access, instance.spot_request_id, deadline=soon())

    def test_is_none_for_a_fulfilled_request(self, access, emulator):
        assert self.signal(access, emulator) == ("NONE", "fulfilled")

    def test_is_termination_while_the_instance_still_runs(self, access, emulator):
        emulator.interrupt(a_spot_instance(emulator)["instance_id"])

        assert self.signal(access, emulator) == (
            "TERMINATION",
            "instance-terminated-no-capacity",
        )


class TestCheckPermissions:
    def check(self, access, emulator, mode):
        wanted = a_spot_instance(emulator)["instance_id"]
        instance = describe_instance(access, wanted, deadline=soon())
        return check_permissions(
            access, mode=mode, instance=instance, session_id="s-1", deadline=soon()
        )

    def test_reports_granted_permissions(self, access, emulator):
        permissions = self.check(access, emulator, "dry_run")

        assert [permission.action for permission in permissions] == list(READ_ACTIONS)
        assert all(permission.is_granted for permission in permissions)

    def test_reports_denied_permissions(self, access, emulator):
        emulator.deny("ec2:DescribeSpotPriceHistory", "pricing:GetProducts")

        permissions = self.check(access, emulator, "dry_run")

        denied = [p for p in permissions if not p.is_granted]
        assert [p.action for p in denied] == [
            "ec2:DescribeSpotPriceHistory",
            "pricing:GetProducts",
        ]
        assert all(p.action in p.detail for p in denied)

    def test_changes_nothing_in_live_mode(self, access, emulator):
        before = emulator.instances()
        seen = emulator.last_request()

        permissions = self.check(access, emulator, "live")

        assert [p.action for p in permissions] == list(READ_ACTIONS + MOVE_ACTIONS)
        requests = emulator.requests(after=seen)
        changing = [r for r in requests if not r["action"].startswith(("Describe", "Get"))]
        assert len(changing) == len(MOVE_ACTIONS)
        assert all(request["dry_run"] for request in changing)
        assert emulator.instances() == before


class TestFaults:
    def test_a_slow_response_is_a_timeout(self, access, emulator):
        emulator.delay("DescribeAvailabilityZones", seconds=1.0, times=3)
        slow = type(access)(access.credentials, access.region, read_timeout=0.2)

        with pytest.raises(AwsTimeout):
            zone_ids(slow, deadline=soon(2))

    def test_a_throttled_call_is_retried(self, access, emulator):
        emulator.fail("DescribeAvailabilityZones", code="RequestLimitExceeded", status=503)

        assert len(zone_ids(access, deadline=soon())) == 3

    def test_wrong_keys_are_refused(self, access):
        wrong = access.credentials.__class__(access.credentials.access_key, "wrong")

        with pytest.raises(AwsRefused) as refusal:
            caller_identity(type(access)(wrong, access.region), deadline=soon())

        assert refusal.value.code == "aws_SignatureDoesNotMatch"

    def test_a_malformed_response_is_refused(self, access, emulator):
        emulator.garbage("DescribeAvailabilityZones", times=3)

        with pytest.raises(AwsRefused) as refusal:
            zone_ids(access, deadline=soon())

        assert refusal.value.code == "aws_UnreadableAnswer"


class TestProductOf:
    @pytest.mark.parametrize(
        ("platform", "product"),
        [
            ("Linux/UNIX", ("Linux/UNIX", "Linux", "Linux")),
            ("Red Hat Enterprise Linux", ("Red Hat Enterprise Linux", "RHEL", "Linux")),
            ("Windows", ("Windows", "Windows", "Windows")),
        ],
    )
    def test_returns_the_name_in_each_api(self, platform, product):
        assert product_of(platform) == product

    def test_raises_for_a_platform_without_spot_prices(self):
        with pytest.raises(NoPrices, match="SQL Server"):
            product_of("Windows with SQL Server Standard")
