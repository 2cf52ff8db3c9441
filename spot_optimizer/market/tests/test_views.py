from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from rest_framework.test import APIClient

from spot_optimizer.aws.products import LINUX
from spot_optimizer.market.arrays import load_snapshot
from spot_optimizer.market.models import Comparable
from spot_optimizer.market.testing import REGION, a_market, a_price, a_type
from spot_optimizer.testing import NOON

pytestmark = pytest.mark.django_db
POOLS, HISTORY = "/api/v1/market/pools", "/api/v1/market/history"
AS_OF = "2026-11-02T12:00:00Z"


@pytest.fixture
def client():
    user = get_user_model()(email="ann@example.com", username="ann")
    client = APIClient()
    client.force_authenticate(user)
    return client


def iso(hours):
    return (NOON + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")


def pages_of(client, path, **query):
    page = client.get(path, query).json()
    yield page
    while page["next"]:
        page = client.get(page["next"]).json()
        yield page


class TestPools:
    def test_returns_all_fields_of_a_pool(self, client):
        a_market(a_price("0.04", hours=-200), a_price("0.024", hours=-3))

        answer = client.get(POOLS, {"region": REGION, "as_of": AS_OF})

        assert answer.status_code == 200
        assert answer.json() == {
            "results": [
                {
                    "region": "us-east-1",
                    "instance_type": "m5.large",
                    "availability_zone_id": "use1-az1",
                    "product": "Linux/UNIX",
                    "price": 0.024,
                    "spot_price": 0.024,
                    "since": "2026-11-02T09:00:00Z",
                    "on_demand_price": 0.096,
                    "discount": 0.75,
                    "band": 1,
                    "savings_percent": 70,
                }
            ],
            "next": None,
            "previous": None,
            "as_of": "2026-11-02T12:00:00Z",
        }

    def test_equals_the_snapshot_of_an_evaluation(self, client):
        a_market(
            *(
                a_price(f"0.0{n + 1}", hours=-n, instance_type=name, zone_id=f"use1-az{zone}")
                for name in ("m5.large", "m5a.large", "c5.large")
                for zone in range(1, 4)
                for n in range(6)
            ),
            types=(a_type("m5.large"), a_type("m5a.large"), a_type("c5.large")),
            on_demand={"m5.large": "0.096", "c5.large": "0.085"},
            bands={"m5.large": 0, "m5a.large": 4},
        )
        as_of = NOON - timedelta(hours=2.5)
        market = load_snapshot(
            region=REGION, product=LINUX, as_of=as_of, comparable=Comparable("x86_64", 2)
        )

        rows = client.get(POOLS, {"region": REGION, "as_of": iso(-2.5)}).json()["results"]

        assert [
            (row["instance_type"], row["availability_zone_id"], row["price"]) for row in rows
        ] == [
            (market.types[kind].name, market.zones[zone], price)
            for kind, zone, price in zip(
                market.type_index, market.zone_index, market.spot_price, strict=True
            )
        ]
        bands = dict(zip([kind.name for kind in market.types], market.band, strict=True))
        assert all(
            (-1 if row["band"] is None else row["band"]) == bands[row["instance_type"]]
            for row in rows
        )

    def test_returns_null_for_unknown_values(self, client):
        a_market(a_price("0.04", hours=-200, instance_type="x.large"))

        [row] = client.get(POOLS, {"region": REGION}).json()["results"]

        assert (row["on_demand_price"], row["discount"], row["band"]) == (None, None, None)

    def test_default_moment_is_the_newest_with_complete_prices(self, client):
        a_market(a_price("0.04", hours=-200), until=NOON - timedelta(hours=5))
        a_market(a_price("0.04", hours=-200, zone_id="use1-az2"), until=NOON)
        a_market(a_price("0.04", hours=-200, zone_id="use1-az3"), until=NOON - timedelta(minutes=2))

        answer = client.get(POOLS, {"region": REGION}).json()

        assert answer["as_of"] == "2026-11-02T11:58:00Z"
        assert [row["availability_zone_id"] for row in answer["results"]] == [
            "use1-az2",
            "use1-az3",
        ]

    def test_pages_share_one_moment(self, client):
        a_market(*(a_price("0.04", hours=-200, zone_id=f"use1-az{n}") for n in range(1, 8)))
        pages = pages_of(client, POOLS, region=REGION, limit=3)

        first = next(pages)
        a_market(a_price("0.09", hours=1), until=NOON + timedelta(hours=2), since=NOON)
        rest = list(pages)

        zones = [row["availability_zone_id"] for page in (first, *rest) for row in page["results"]]
        assert zones == [f"use1-az{n}" for n in range(1, 8)]
        assert {page["as_of"] for page in rest} == {first["as_of"]}
        assert {row["price"] for page in rest for row in page["results"]} == {0.04}
        back = client.get(rest[0]["previous"]).json()
        assert back["results"] == first["results"]

    def test_can_be_filtered_by_type(self, client):
        a_market(a_price("0.04", hours=-200), a_price("0.05", hours=-200, instance_type="c5.large"))

        rows = client.get(POOLS, {"region": REGION, "instance_type": "c5.large"}).json()["results"]

        assert [row["instance_type"] for row in rows] == ["c5.large"]


class TestHistory:
    def query(self, **more):
        return {"region": REGION, "instance_type": "m5.large", **more}

    def store(self):
        a_market(
            a_price("0.04", hours=-200),
            a_price("0.05", hours=-100),
            a_price("0.06", hours=-10),
            a_price("0.07", hours=-1),
            a_price("0.01", hours=-150, zone_id="use1-az2"),
        )

    def prices(self, client, **more):
        answer = client.get(HISTORY, self.query(**more))
        assert answer.status_code == 200, answer.json()
        return [row["price"] for row in answer.json()["results"]]

    def test_lists_all_zones_newest_first(self, client):
        self.store()

        assert self.prices(client) == [0.07, 0.06, 0.05, 0.01, 0.04]

    def test_includes_the_change_in_force_at_from(self, client):
        self.store()

        assert self.prices(client, **{"from": iso(-50), "to": iso(-5)}) == [0.06, 0.05, 0.01]
        assert self.prices(
            client, **{"from": iso(-10), "to": iso(-1)}, availability_zone="use1-az1"
        ) == [0.07, 0.06]

    def test_has_no_price_before_the_first_change(self, client):
        self.store()

        assert self.prices(client, **{"from": iso(-300), "to": iso(-180)}) == [0.04]

    def test_ends_where_coverage_ends(self, client):
        a_market(
            a_price("0.01", hours=-300, zone_id="us-east-1a"),
            a_price("0.02", hours=-290, zone_id="us-east-1a"),
            since=NOON - timedelta(hours=295),
            until=NOON - timedelta(hours=240),
        )
        self.store()
        old = {"availability_zone": "us-east-1a"}

        assert self.prices(client, **old) == [0.02, 0.01]
        assert self.prices(client, **old, **{"from": iso(-250)}) == [0.02]
        assert self.prices(client, **old, **{"from": iso(-239)}) == []
        assert self.prices(client, **old, to=iso(-296)) == []
        assert self.prices(client, **{"from": iso(-20), "to": iso(-5)}) == [0.06, 0.05, 0.01]

    def test_does_not_bridge_a_gap(self, client):
        a_market(a_price("0.04", hours=-100), until=NOON - timedelta(hours=50))
        a_market(a_price("0.05", hours=-12), since=NOON - timedelta(hours=10))

        assert self.prices(client, **{"from": iso(-40), "to": iso(-20)}) == []
        assert self.prices(client, **{"from": iso(-60), "to": iso(-20)}) == [0.04]
        assert self.prices(client, **{"from": iso(-40)}) == [0.05]
        assert self.prices(client) == [0.05, 0.04]

    def test_accepts_the_name_of_the_response_field(self, client):
        self.store()

        assert self.prices(client, availability_zone_id="use1-az2") == [0.01]

    @pytest.mark.parametrize("zone", ["us-east-1a", "use1-az3"])
    def test_refuses_an_unknown_zone(self, client, zone):
        self.store()

        answer = client.get(HISTORY, self.query(availability_zone=zone))

        assert answer.status_code == 400
        assert answer.json()["code"] == "invalid"
        [sentence] = answer.json()["errors"]["availability_zone"]
        assert "use1-az1, use1-az2" in sentence

    def test_lists_all_pages(self, client):
        self.store()

        pages = pages_of(client, HISTORY, **self.query(limit=2))

        prices = [[row["price"] for row in page["results"]] for page in pages]
        assert prices == [[0.07, 0.06], [0.05, 0.01], [0.04]]


class TestInvalidQueries:
    @pytest.mark.parametrize(
        ("path", "query", "field"),
        [
            (POOLS, {}, "region"),
            (POOLS, {"region": "no region"}, "region"),
            (POOLS, {"region": "eu-north-1"}, "region"),
            (POOLS, {"region": REGION, "as_of": "yesterday"}, "as_of"),
            (POOLS, {"region": REGION, "product": "BeOS"}, "product"),
            (POOLS, {"region": REGION, "limit": "0"}, "limit"),
            (POOLS, {"region": REGION, "limit": "201"}, "limit"),
            (POOLS, {"region": REGION, "cursor": "nonsense"}, "cursor"),
            (POOLS, {"region": REGION, "cursor": "cD0lMDA="}, "cursor"),
            (POOLS, {"region": REGION, "instance_type": "a\0"}, "instance_type"),
            (POOLS, {"region": REGION, "instance_type": "a" * 33}, "instance_type"),
            (HISTORY, {"region": REGION}, "instance_type"),
            (HISTORY, {"region": REGION, "instance_type": "m5.large", "from": "x"}, "from"),
            (
                HISTORY,
                {"region": REGION, "instance_type": "a", "from": iso(0), "to": iso(-1)},
                "to",
            ),
            (HISTORY, {"region": REGION, "instance_type": "a", "cursor": "cD14"}, "cursor"),
            (
                HISTORY,
                {"region": REGION, "instance_type": "a", "availability_zone": "use1-az1"},
                "availability_zone",
            ),
            (
                HISTORY,
                {
                    "region": REGION,
                    "instance_type": "m5.large",
                    "availability_zone": "use1-az1",
                    "availability_zone_id": "use1-az2",
                },
                "availability_zone_id",
            ),
        ],
    )
    def test_are_refused_field_by_field(self, client, path, query, field):
        a_market(a_price("0.04", hours=-200))

        answer = client.get(path, query)

        assert answer.status_code == 400
        assert answer.json()["code"] == "invalid"
        assert list(answer.json()["errors"]) == [field]

    @pytest.mark.parametrize(
        "as_of", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"]
    )
    def test_an_extreme_moment_is_not_a_server_error(self, client, as_of):
        a_market(a_price("0.04", hours=-200))

        assert client.get(POOLS, {"region": REGION, "as_of": as_of}).status_code in (200, 400)
        for name in ("from", "to"):
            query = {"region": REGION, "instance_type": "m5.large", name: as_of}
            assert client.get(HISTORY, query).status_code in (200, 400)

    @pytest.mark.parametrize("path", [POOLS, HISTORY])
    def test_require_authentication(self, path):
        assert APIClient().get(path, {"region": REGION}).status_code == 401
