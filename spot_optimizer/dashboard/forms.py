"""
What a form of a page looks like. What is right in it, the API's serializers and services say.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.loader import render_to_string
from rest_framework.exceptions import APIException

from spot_optimizer.api.exceptions import exception_handler
from spot_optimizer.errors import DomainError

Refusal = DomainError | APIException


@dataclass(frozen=True, slots=True)
class Field:
    """One question of a form; ``kind`` is the input's type, ``select`` or ``checkbox``."""

    name: str
    label: str
    kind: str = "text"
    help: str = ""
    is_required: bool = False
    is_secret: bool = False
    autocomplete: str = "off"
    choices: tuple[tuple[str, str], ...] = ()
    initial: str = ""
    placeholder: str = ""

    def read(self, form: QueryDict) -> Any:
        """Return what was sent, as JSON would say it; None for nothing."""
        if self.kind == "checkbox":
            return self.name in form
        text = form.get(self.name, "")
        return _number(text) if text and self.kind == "number" else text or None

    def shown(
        self, values: Mapping[str, Any], errors: list[str], *, is_demo: bool = False
    ) -> dict[str, Any]:
        """Return what its template needs; a secret is never sent back, but for a demo's."""
        hides = self.is_secret and not is_demo
        value = "" if hides else values.get(self.name, self.initial)
        return {"field": self, "id": f"id_{self.name}", "value": value, "errors": errors}


@dataclass(frozen=True, slots=True)
class Told:
    """What was refused in a form, for its page."""

    status: HTTPStatus
    detail: str
    errors: Mapping[str, list[str]]
    retry_after: str | None = None  # [s]


def body_of(fields: Iterable[Field], form: QueryDict) -> dict[str, Any]:
    """Return the body that a program would send; what is left empty is not in it."""
    read = {field.name: field.read(form) for field in fields}
    return {name: value for name, value in read.items() if value is not None}


def told_of(refusal: Refusal) -> Told:
    """Say what the API says of the same refusal."""
    answer = exception_handler(refusal, {})
    if answer is None:  # a bug, as it is there
        raise refusal
    errors = answer.data.get("errors", {})
    status, retry_after = HTTPStatus(answer.status_code), answer.headers.get("Retry-After")
    return Told(status, answer.data["detail"], errors, retry_after)


def form_page(
    request: HttpRequest, template: str, context: Mapping[str, Any], told: Told | None
) -> HttpResponse:
    """Return the page of a form, and what was refused in it as HTTP says it."""
    text = render_to_string(template, {**context, "told": told}, request)
    answer = HttpResponse(text, status=told.status if told else HTTPStatus.OK)
    if told and told.retry_after:
        answer.headers["Retry-After"] = told.retry_after
    return answer


def _number(text: str) -> float | int | str:
    """Read a number; what is none is left for the serializer to refuse."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
