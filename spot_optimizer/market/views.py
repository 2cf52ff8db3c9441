import re
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import exceptions
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from spot_optimizer.api.pagination import NewestFirst
from spot_optimizer.errors import Invalid
from spot_optimizer.market import queries
from spot_optimizer.market.serializers import ChangeOut, HistoryIn, PoolOut, PoolsIn

PLACE = re.compile(r"[A-Za-z0-9.-]{1,32} [A-Za-z0-9-]{1,32}")


class OrderedByPlace(NewestFirst):
    """Pages by type and zone. The next page has the same ``as_of``, even after a refresh."""

    ordering = ("place", "pk")

    def decode_cursor(self, request: Any) -> Any:
        try:
            cursor = CursorPagination.decode_cursor(self, request)
        except exceptions.NotFound as error:
            raise _bad_cursor() from error
        if cursor and cursor.position and not PLACE.fullmatch(str(cursor.position)):
            raise _bad_cursor()
        return cursor

    def respond(self, results: list[Any], as_of: datetime) -> Response:
        self.base_url = replace_query_param(str(self.base_url), "as_of", _iso(as_of))
        response = self.get_paginated_response(results)
        response.data["as_of"] = _iso(as_of)
        return response

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        page: dict[str, Any] = super().get_paginated_response_schema(schema)
        page["properties"]["as_of"] = {"type": "string", "format": "date-time"}
        return page


class NewestChangesFirst(NewestFirst):
    ordering = ("-at", "-pk")


class PoolsView(APIView):
    """List pools and their prices at ``as_of``, or at the latest time with complete prices."""

    pagination_class = OrderedByPlace

    @extend_schema(parameters=[PoolsIn], responses=PoolOut(many=True))
    def get(self, request: Request) -> Response:
        query = _validated(PoolsIn(data=request.query_params))
        market = {name: query[name] for name in ("region", "product")}
        queries.get_region(query["region"])
        as_of = query.get("as_of") or queries.newest_moment(**market)
        pools = queries.pools_in_force(
            **market, as_of=as_of, instance_type=query.get("instance_type")
        )
        paginator = self.pagination_class()
        page = paginator.paginate_queryset(pools, request, view=self)
        return paginator.respond(list(PoolOut(page, many=True).data), as_of)


class HistoryView(APIView):
    """List the price changes of one type, newest first, with the one in effect at ``from``."""

    pagination_class = NewestChangesFirst

    @extend_schema(parameters=[HistoryIn], responses=ChangeOut(many=True))
    def get(self, request: Request) -> Response:
        query = _validated(HistoryIn(data=request.query_params))
        queries.get_region(query["region"])
        changes = queries.price_changes(
            region=query["region"],
            product=query["product"],
            instance_type=query["instance_type"],
            zone_id=query.get("availability_zone"),
            since=query.get("from"),
            until=query.get("to"),
        )
        paginator = self.pagination_class()
        page = paginator.paginate_queryset(changes, request, view=self)
        return paginator.get_paginated_response(ChangeOut(page, many=True).data)


def _validated(serializer: Any) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    fields: dict[str, Any] = serializer.validated_data
    return fields


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _bad_cursor() -> Invalid:
    message = "Use the cursor from next or previous of the page before, unchanged."
    return Invalid("cursor is not valid.", errors={"cursor": [message]})
