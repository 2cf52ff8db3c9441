"""Limits and special cases of the calls to AWS, against recorded response forms."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from botocore.exceptions import ClientError

from spot_optimizer.aws.client import deadline as deadlines
from spot_optimizer.aws.client.access import HOME_REGION
from spot_optimizer.aws.client.deadline import Deadline
from spot_optimizer.aws.client.errors import CREDENTIAL_ERRORS, refused, translated_errors
from spot_optimizer.aws.instance_types import instance_types_named
from spot_optimizer.aws.instances import Instance
from spot_optimizer.aws.on_demand_prices import on_demand_prices
from spot_optimizer.aws.permissions import check_permissions
from spot_optimizer.aws.spot_advisor import parse_advisor_rows
from spot_optimizer.aws.spot_prices import spot_prices
from spot_optimizer.aws.spot_requests import INTERRUPTED_STATUSES, interruption_signal
from spot_optimizer.aws.tests.conftest import an_access, soon
from spot_optimizer.aws.zones import zone_ids
from spot_optimizer.errors import AwsRefused, AwsTimeout

ZONES = {"us-east-1a": "use1-az1"}


def a_history(*items, token=""):
    rows = "".join(
        f"<item><instanceType>m5.large</instanceType><productDescription>{product}"
        f"</productDescription><spotPrice>{price}</spotPrice><timestamp>2026-01-01T00:00:00.000Z"
        f"</timestamp><availabilityZone>{zone}</availabilityZone></item>"
        for zone, price, product in items
    )
    return (
        "<DescribeSpotPriceHistoryResponse><spotPriceHistorySet>"
        f"{rows}</spotPriceHistorySet><nextToken>{token}</nextToken>"
        "</DescribeSpotPriceHistoryResponse>"
    )


def fetch_history(zone_ids=ZONES):
    return list(
        spot_prices(
            an_access(),
            instance_types=["m5.large"],
            products=["Linux/UNIX"],
            zone_ids=zone_ids,
            since=datetime(2026, 1, 1, tzinfo=UTC),
            deadline=soon(),
        )
    )


class TestSpotPrices:
    def test_remove_the_vpc_suffix_and_skip_unknown_zones(self, fake_aws):
        fake_aws.respond(
            a_history(
                ("us-east-1a", "0.03", "Linux/UNIX (Amazon VPC)"),
                ("us-east-1-bos-1a", "0.04", "Linux/UNIX"),
            )
        )

        [[price]] = fetch_history()

        assert (price.zone_id, price.product) == ("use1-az1", "Linux/UNIX")
        assert price.price == Decimal("0.03")

    @pytest.mark.parametrize("price", ["0", "-0.01", "NaN", "Infinity"])
    def test_refuse_a_price_that_is_not_above_zero(self, fake_aws, price):
        fake_aws.respond(a_history(("us-east-1a", price, "Linux/UNIX")))

        with pytest.raises(AwsRefused) as refusal:
            fetch_history()

        assert refusal.value.code == "aws_UnreadableAnswer"

    def test_repeat_all_parameters_for_the_next_page(self, fake_aws):
        item = ("us-east-1a", "0.03", "Linux/UNIX")
        fake_aws.respond(a_history(item, token="second"))
        fake_aws.respond(a_history(item))

        assert len(fetch_history()) == 2
        assert "NextToken=second" in fake_aws.requests[1]
        assert "InstanceType.1=m5.large" in fake_aws.requests[1]

    def test_deadline_is_not_in_force_in_the_code_of_the_caller(self, fake_aws):
        fake_aws.respond(a_history(("us-east-1a", "0.03", "Linux/UNIX"), token="more"))
        pages = spot_prices(
            an_access(),
            instance_types=["m5.large"],
            products=["Linux/UNIX"],
            zone_ids=ZONES,
            since=datetime(2026, 1, 1, tzinfo=UTC),
            deadline=soon(),
        )

        next(pages)

        assert deadlines.deadline_in_force.get() is None


def test_on_demand_prices_skip_zero_and_other_units_and_use_the_home_region(fake_aws):
    def dimension(price, unit):
        return {"unit": unit, "pricePerUnit": {"USD": price}}

    product = {
        "product": {"attributes": {"instanceType": "m5.large", "operatingSystem": "Linux"}},
        "terms": {
            "OnDemand": {
                "term": {
                    "effectiveDate": "2026-01-01T00:00:00Z",
                    "priceDimensions": {
                        "a": dimension("0.096", "Hrs"),
                        "b": dimension("0", "Hrs"),
                        "c": dimension("7", "Quantity"),
                    },
                }
            }
        },
    }
    fake_aws.respond(json.dumps({"PriceList": [json.dumps(product)]}))
    access = an_access(region="eu-west-1")

    [prices] = on_demand_prices(access, operating_system="Linux", deadline=soon())

    assert [price.price for price in prices] == [Decimal("0.096")]
    assert f"/{HOME_REGION}/pricing/" in fake_aws.headers[0]["Authorization"]


def test_zone_ids_leave_out_local_zones(fake_aws):
    zones = "".join(
        f"<item><zoneName>{name}</zoneName><zoneId>{name}-id</zoneId>{kind}</item>"
        for name, kind in [
            ("a", "<zoneType>availability-zone</zoneType>"),
            ("b", ""),
            ("c", "<zoneType>local-zone</zoneType>"),
        ]
    )
    fake_aws.respond(
        "<DescribeAvailabilityZonesResponse><availabilityZoneInfo>"
        f"{zones}</availabilityZoneInfo></DescribeAvailabilityZonesResponse>"
    )

    assert zone_ids(an_access(), deadline=soon()) == {"a": "a-id", "b": "b-id"}


def test_instance_types_are_requested_by_a_hundred_names(fake_aws):
    fake_aws.respond(
        "<DescribeInstanceTypesResponse><instanceTypeSet/></DescribeInstanceTypesResponse>", times=2
    )

    instance_types_named(an_access(), [f"m{n}.large" for n in range(101)], deadline=soon())

    assert ["InstanceType.100=" in request for request in fake_aws.requests] == [True, False]
    assert "InstanceType.101=" not in fake_aws.requests[0]


@pytest.mark.parametrize("band", [-1, 5, None])
def test_an_advisor_band_must_be_0_to_4(band):
    document = {"spot_advisor": {"us-east-1": {"Linux": {"m5.large": {"r": band, "s": 70}}}}}

    with pytest.raises(ValueError, match="0 to 4"):
        list(parse_advisor_rows(document))


@pytest.mark.parametrize("status", sorted(INTERRUPTED_STATUSES | {"marked-for-stop"}))
def test_each_interrupted_status_is_a_termination(fake_aws, status):
    fake_aws.respond(
        "<DescribeSpotInstanceRequestsResponse><spotInstanceRequestSet><item><status><code>"
        f"{status}</code></status></item></spotInstanceRequestSet>"
        "</DescribeSpotInstanceRequestsResponse>"
    )

    signal = interruption_signal(an_access(), "sir-1", deadline=soon())

    assert signal == ("TERMINATION", status)


def test_a_permission_check_raises_on_other_errors(fake_aws):
    fake_aws.respond_error("InvalidParameterValue", times=20)
    instance = Instance(
        *("i-1", "m5.large", "us-east-1a", "running", "on_demand", None, "x86_64", "hvm", None),
        *(True, "Linux/UNIX", datetime(2026, 1, 1, tzinfo=UTC), "default", "ami-1", None, ()),
        *(1, "ebs", None, None),
    )

    with pytest.raises(AwsRefused) as refusal:
        check_permissions(
            an_access(), mode="dry_run", instance=instance, session_id="s-1", deadline=soon()
        )

    assert refusal.value.code == "aws_InvalidParameterValue"


class TestErrors:
    @pytest.mark.parametrize("status", [500, 502])
    def test_an_http_status_from_500_is_a_server_error(self, status):
        response = {
            "Error": {"Code": "UndocumentedCode"},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }

        refusal = refused(ClientError(response, "DescribeInstances"))

        assert "failed inside AWS" in str(refusal)

    def test_a_server_error_code_is_one_whatever_the_status(self):
        response = {
            "Error": {"Code": "InternalError"},
            "ResponseMetadata": {"HTTPStatusCode": 400},
        }

        assert "failed inside AWS" in str(refused(ClientError(response, "DescribeInstances")))

    def test_rejected_and_expired_keys_are_credential_errors(self):
        assert {"AuthFailure", "SignatureDoesNotMatch", "ExpiredToken"} <= CREDENTIAL_ERRORS
        assert "RequestExpired" not in CREDENTIAL_ERRORS


class TestDeadline:
    def test_is_over_at_exactly_its_end(self, monkeypatch):
        monkeypatch.setattr(deadlines.time, "monotonic", lambda: 7.0)

        with pytest.raises(AwsTimeout):
            Deadline(ends_at=7.0).check()

    def test_is_checked_before_the_context_is_entered(self):
        entered = []

        with pytest.raises(AwsTimeout), translated_errors(Deadline.after(0)):
            entered.append(True)

        assert not entered
