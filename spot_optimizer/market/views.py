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


class ByType(NewestFirst):
    """Pages by type and zone; the next one is of the same moment, whatever is learned meanwhile."""

    ordering = ("place", "pk")

    def decode_cursor(self, request: Any) -> Any:
        try:
            cursor = CursorPagination.decode_cursor(self, request)
        except exceptions.NotFound as error:
            raise _bad_cursor() from error
        if cursor and cursor.position and not PLACE.fullmatch(str(cursor.position)):
            raise _bad_cursor()
        return cursor

    def answer(self, results: list[Any], as_of: datetime) -> Response:
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
    """The pools in force: at ``as_of``, or at the newest moment that is known completely."""

    pagination_class = ByType

    @extend_schema(parameters=[PoolsIn], responses=PoolOut(many=True))
    def get(self, request: Request) -> Response:
        asked = _checked(PoolsIn(data=request.query_params))
        of = {name: asked[name] for name in ("region", "product")}
        queries.get_region(asked["region"])
        as_of = asked.get("as_of") or queries.newest_moment(**of)
        pools = queries.pools_in_force(**of, as_of=as_of, instance_type=asked.get("instance_type"))
        pages = self.pagination_class()
        page = pages.paginate_queryset(pools, request, view=self)
        return pages.answer(list(PoolOut(page, many=True).data), as_of)


class HistoryView(APIView):
    """The price changes of one type, the newest first, with the one in force at ``from``."""

    pagination_class = NewestChangesFirst

    @extend_schema(parameters=[HistoryIn], responses=ChangeOut(many=True))
    def get(self, request: Request) -> Response:
        asked = _checked(HistoryIn(data=request.query_params))
        queries.get_region(asked["region"])
        changes = queries.price_changes(
            region=asked["region"],
            product=asked["product"],
            instance_type=asked["instance_type"],
            zone_id=asked.get("availability_zone"),
            since=asked.get("from"),
            until=asked.get("to"),
        )
        pages = self.pagination_class()
        page = pages.paginate_queryset(changes, request, view=self)
        return pages.get_paginated_response(ChangeOut(page, many=True).data)


def _checked(form: Any) -> dict[str, Any]:
    form.is_valid(raise_exception=True)
    fields: dict[str, Any] = form.validated_data
    return fields


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _bad_cursor() -> Invalid:
    sentence = "Take it from next or previous of the page before, unchanged."
    return Invalid("cursor is not valid.", errors={"cursor": [sentence]})
