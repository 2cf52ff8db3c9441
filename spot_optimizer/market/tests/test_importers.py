import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from spot_optimizer.aws.products import LINUX
from spot_optimizer.market.arrays import load_snapshot
from spot_optimizer.market.models import (
    AdvisorBand,
    Comparable,
    Coverage,
    InstanceTypeFacts,
    OnDemandPrice,
    SpotPrice,
)
from spot_optimizer.testing import NOON

pytestmark = pytest.mark.django_db
DATA = settings.BASE_DIR.parent / "shared" / "data"
with_real_prices = pytest.mark.skipif(
    not (DATA / "spot_prices").is_dir(), reason=f"there is no market data at {DATA}"
)


def imported(path, capsys):
    call_command("import_prices", str(path))
    return capsys.readouterr().out.splitlines()


def a_spot_table(path, *rows):
    """Each row is: hours after noon, zone, price."""
    pq.write_table(
        pa.table(
            {
                "timestamp": pa.array(
                    [NOON + timedelta(hours=row[0]) for row in rows], pa.timestamp("ms", "UTC")
                ),
                "region": pa.array(["us-east-1"] * len(rows)).dictionary_encode(),
                "availability_zone": [row[1] for row in rows],
                "instance_type": ["m5.large"] * len(rows),
                "product_description": ["Linux/UNIX"] * len(rows),
                "price_usd_hour": [row[2] for row in rows],
            }
        ),
        path,
    )


class TestImportPrices:
    def test_stores_changes_and_coverage(self, tmp_path, capsys):
        a_spot_table(
            tmp_path / "prices.parquet",
            (0, "us-east-1a", 0.03),
            (24, "us-east-1a", 0.03),
            (48, "us-east-1a", 0.0312),
            (100, "us-east-1a", 0.03),
            (-5, "us-east-1b", 0.05),
            (200, "us-east-1c", 0.05),
        )

        output = imported(tmp_path, capsys)

        assert output == ["prices.parquet: 6 spot prices read, 5 changes new"]
        first = SpotPrice.objects.filter(pool__zone_id="us-east-1a").order_by("at")
        assert [str(row.price) for row in first] == ["0.030000", "0.031200", "0.030000"]
        ends = Coverage.objects.order_by("pool__zone_id").values_list("since", "until")
        assert [tuple((t - NOON) / timedelta(hours=1) for t in row) for row in ends] == [
            (0, 160),  # sixty hours after the last row
            (-5, 55),
            (200, 200),
        ]

    def test_changes_nothing_the_second_time(self, tmp_path, capsys):
        a_spot_table(tmp_path / "prices.parquet", (0, "a", 0.03), (1, "a", 0.04))
        imported(tmp_path, capsys)
        before = list(Coverage.objects.values_list("since", "until"))

        output = imported(tmp_path, capsys)

        assert output == ["prices.parquet: 2 spot prices read, 0 changes new"]
        assert list(Coverage.objects.values_list("since", "until")) == before

    def test_continues_with_a_longer_file(self, tmp_path, capsys):
        a_spot_table(tmp_path / "prices.parquet", (0, "a", 0.03), (1, "a", 0.04))
        imported(tmp_path, capsys)
        a_spot_table(tmp_path / "prices.parquet", (0, "a", 0.03), (1, "a", 0.04), (9, "a", 0.05))

        imported(tmp_path, capsys)

        assert SpotPrice.objects.count() == 3
        assert Coverage.objects.get().until == NOON + timedelta(hours=9)

    def test_imports_on_demand_prices_in_dollars_that_are_not_inferred(self, tmp_path, capsys):
        pq.write_table(
            pa.table(
                {
                    "price_date": ["2025-01-01"] * 4 + ["2025-02-01"],
                    "region": ["us-east-1"] * 3 + ["cn-north-1", "us-east-1"],
                    "instance_type": ["a", "b", "c", "d", "a"],
                    "price_usd_hour": [0.1, 0.2, 0.0, 0.4, 0.1],
                    "quality": ["listed", "inferred", "listed", "listed", "listed"],
                    "currency": ["USD", "USD", "USD", "CNY", "USD"],
                }
            ),
            tmp_path / "on_demand.parquet",
        )

        imported(tmp_path, capsys)

        [price] = OnDemandPrice.objects.all()
        assert (price.instance_type, float(price.price)) == ("a", 0.1)
        assert price.at == datetime(2025, 1, 1, tzinfo=UTC)

    def test_imports_advisor_documents(self, tmp_path, capsys):
        for name, band in [("2022-07-09.json.gz", 1), ("2022-07-09b.json.gz", 2)]:
            document = {"spot_advisor": {"us-east-1": {"Linux": {"m5.large": {"r": band, "s": 7}}}}}
            (tmp_path / name).write_bytes(gzip.compress(json.dumps(document).encode()))

        imported(tmp_path, capsys)

        rows = AdvisorBand.objects.order_by("at").values_list("at", "band")
        assert list(rows) == [
            (datetime(2022, 7, 9, tzinfo=UTC), 1),
            (datetime(2022, 7, 9, 12, tzinfo=UTC), 2),
        ]

    def test_skips_other_files(self, tmp_path, capsys):
        a_spot_table(tmp_path / "prices.parquet", (0, "a", 0.03))
        pq.write_table(pa.table({"x": [1]}), tmp_path / "other.parquet")

        assert len(imported(tmp_path, capsys)) == 1


class TestRefusals:
    def refusal(self, path):
        with pytest.raises(CommandError) as refusal:
            call_command("import_prices", str(path))
        return str(refusal.value)

    def test_a_missing_folder(self, tmp_path):
        assert "There is no file or folder" in self.refusal(tmp_path / "nothing")

    def test_an_empty_folder(self, tmp_path):
        assert "contains no table" in self.refusal(tmp_path)

    def test_an_invalid_parquet_file(self, tmp_path):
        (tmp_path / "x.parquet").write_text("nonsense")
        assert "cannot be read as a Parquet file" in self.refusal(tmp_path / "x.parquet")

    def test_a_table_with_other_columns(self, tmp_path):
        pq.write_table(pa.table({"apples": [1]}), tmp_path / "x.parquet")
        assert "its columns are apples" in self.refusal(tmp_path / "x.parquet")

    @pytest.mark.parametrize(
        "content", [b"nonsense", gzip.compress(b"[]", mtime=0), gzip.compress(b"{", mtime=0)]
    )
    def test_an_invalid_advisor_document(self, tmp_path, content):
        (tmp_path / "2022-07-09.json.gz").write_bytes(content)
        assert "not a document of the Spot Advisor" in self.refusal(tmp_path)

    def test_an_advisor_document_without_a_date(self, tmp_path):
        (tmp_path / "advisor.json.gz").write_bytes(gzip.compress(b"{}"))
        assert "named after its date" in self.refusal(tmp_path)


@with_real_prices
class TestRealHistory:
    AS_OF = datetime(2021, 4, 20, 12, tzinfo=UTC)

    @pytest.fixture
    def history(self, capsys):
        for name in (
            "spot_prices/us_east_1_2021.parquet",
            "on_demand/regions_2020_2021_2022.parquet",
            "spot_advisor/2021-02-10.json.gz",
            "instance_types/instance_types_2026_10.parquet",
        ):
            imported(DATA / name, capsys)
        return pq.read_table(Path(DATA) / "spot_prices/us_east_1_2021.parquet")

    def test_snapshot_equals_the_prices_in_the_file(self, history):
        linux = history.filter(pc.equal(history["product_description"], "Linux/UNIX"))
        past = linux.filter(pc.less_equal(linux["timestamp"], pa.scalar(self.AS_OF)))
        week = self.AS_OF - timedelta(days=7)
        for name, vcpu in [("m5.large", 2), ("c5.xlarge", 4), ("p3.2xlarge", 8)]:
            market = load_snapshot(
                region="us-east-1",
                product=LINUX,
                as_of=self.AS_OF,
                comparable=Comparable("x86_64", vcpu),
            )
            kinds = [kind.name for kind in market.types]
            rows = past.filter(pc.equal(past["instance_type"], name)).to_pylist()
            checked = 0
            for index in np.flatnonzero(market.type_index == kinds.index(name)):
                zone = market.zones[market.zone_index[index]]
                prices = sorted(
                    (row["timestamp"], round(row["price_usd_hour"], 6))
                    for row in rows
                    if row["availability_zone"] == zone
                )
                seven = [p for t, p in prices if t <= week][-1:] + [
                    p for t, p in prices if t > week
                ]
                assert market.spot_price[index] == prices[-1][1]
                assert (market.low_7d[index], market.high_7d[index]) == (min(seven), max(seven))
                checked += 1
            assert checked == len({row["availability_zone"] for row in rows})
            assert np.isfinite(market.on_demand_price[kinds.index(name)])
            assert market.band[kinds.index(name)] in range(5)

    def test_stores_the_types_that_are_no_longer_sold(self, history):
        names = set(history["instance_type"].to_pylist())

        assert names <= set(InstanceTypeFacts.objects.values_list("name", flat=True))
