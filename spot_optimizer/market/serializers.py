from typing import Any

from rest_framework import serializers

from spot_optimizer.api.fields import Choice, RegionField
from spot_optimizer.aws.products import LINUX, PRODUCTS, Product
from spot_optimizer.market.models import Pool, SpotPrice


class MarketQuery(serializers.Serializer):
    region = RegionField()
    product = Choice([product.description for product in PRODUCTS], default=LINUX.description)

    def validate_product(self, name: str) -> Product:
        return next(product for product in PRODUCTS if product.description == name)


class PoolsIn(MarketQuery):
    instance_type = serializers.CharField(max_length=32, required=False)
    as_of = serializers.DateTimeField(required=False)


class HistoryIn(MarketQuery):
    instance_type = serializers.CharField(max_length=32)
    availability_zone = serializers.CharField(
        max_length=32, required=False, help_text="A zone id, such as use1-az1."
    )
    availability_zone_id = serializers.CharField(
        max_length=32, required=False, help_text="The same, under the field's name in responses."
    )

    def get_fields(self) -> dict[str, Any]:
        # "from" is a Python keyword, so it cannot be a class attribute.
        return super().get_fields() | {
            "from": serializers.DateTimeField(required=False),
            "to": serializers.DateTimeField(required=False),
        }

    def validate(self, fields: dict[str, Any]) -> dict[str, Any]:
        begin, end = fields.get("from"), fields.get("to")
        if begin and end and end < begin:
            raise serializers.ValidationError({"to": "Must not be before from."})
        zone_id = fields.pop("availability_zone_id", None)
        if zone_id and fields.setdefault("availability_zone", zone_id) != zone_id:
            message = "Use either this or availability_zone: the two differ."
            raise serializers.ValidationError({"availability_zone_id": message})
        return fields


class PoolOut(serializers.ModelSerializer):
    """
    One pool in force, named as in an evaluation: ``price`` is what an hour costs, here the spot
    price. Prices are US dollars an hour; ``band`` is the Spot Advisor's, 0 to 4.
    """

    region = serializers.CharField(source="region_id")
    availability_zone_id = serializers.CharField(source="zone_id")
    price = serializers.FloatField()
    spot_price = serializers.FloatField(source="price")
    since = serializers.DateTimeField()
    on_demand_price = serializers.FloatField(allow_null=True)
    discount = serializers.SerializerMethodField()
    band = serializers.IntegerField(allow_null=True)
    savings_percent = serializers.IntegerField(allow_null=True)

    class Meta:
        model = Pool
        fields = [
            "region",
            "instance_type",
            "availability_zone_id",
            "product",
            "price",
            "spot_price",
            "since",
            "on_demand_price",
            "discount",
            "band",
            "savings_percent",
        ]

    def get_discount(self, pool: Any) -> float | None:
        if pool.on_demand_price is None:
            return None
        return 1 - float(pool.price) / float(pool.on_demand_price)


class ChangeOut(serializers.ModelSerializer):
    """From ``at`` on, an hour costs ``price`` US dollars."""

    instance_type = serializers.CharField(source="pool.instance_type")
    availability_zone_id = serializers.CharField(source="pool.zone_id")
    price = serializers.FloatField()

    class Meta:
        model = SpotPrice
        fields = ["instance_type", "availability_zone_id", "at", "price"]
