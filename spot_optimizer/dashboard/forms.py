"""Django forms whose validation is the API's: its serializers and services."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, ClassVar, TypeVar

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from rest_framework.exceptions import ValidationError
from rest_framework.serializers import Serializer

from spot_optimizer.api.exceptions import exception_handler
from spot_optimizer.api.parsers import validated
from spot_optimizer.errors import DomainError

T = TypeVar("T")


class Text(forms.CharField):
    """A text input; whitespace is left to the serializer, as passwords may contain it."""

    def __init__(self, *, autocomplete: str = "off", placeholder: str = "", **options: Any) -> None:
        super().__init__(strip=False, **options)
        self.widget.attrs |= {"autocomplete": autocomplete}
        if isinstance(self.widget, forms.TextInput):
            self.widget.attrs |= {"autocapitalize": "none", "spellcheck": "false"}
        if placeholder:
            self.widget.attrs["placeholder"] = placeholder


class Number(Text):
    """A decimal number; other text is left to the serializer to reject."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.widget.attrs["inputmode"] = "decimal"

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                continue
        return text


class SecretTextInput(forms.PasswordInput):
    """A visible input whose value is never rendered back."""

    input_type = "text"


class ApiForm(forms.Form):
    """``cleaned_data`` are the validated fields of ``serializer``."""

    serializer: ClassVar[type[Serializer]]
    status = HTTPStatus.OK
    detail = ""  # why the service rejected the form as a whole
    retry_after = ""  # [s]

    def body(self) -> dict[str, Any]:
        """Return the request body that an API client would send; empty fields are left out."""
        empty = forms.Field.empty_values
        return {name: value for name, value in self.cleaned_data.items() if value not in empty}

    def clean(self) -> dict[str, Any]:
        try:
            return validated(self.serializer, self.body())
        except ValidationError as error:
            self._add_errors(dict(error.detail))  # type: ignore[arg-type]  # of a serializer
            return {}

    def submit(
        self, service: Callable[..., T], *, before: Callable[[], None] | None = None
    ) -> T | None:
        """
        Call ``service`` with the validated fields; on an error, return None and show it.

        ``before`` runs first, even if the fields are not valid: it counts the attempt.
        """
        try:
            if before is not None:
                before()
            if self.is_valid():
                return service(**self.cleaned_data)
            self.status = HTTPStatus.BAD_REQUEST
        except DomainError as error:
            self._add_domain_error(error)
        return None

    def _add_domain_error(self, error: DomainError) -> None:
        response = exception_handler(error, {})
        if response is None:
            raise error
        self.status = HTTPStatus(response.status_code)
        self.retry_after = response.headers.get("Retry-After", "")
        errors = response.data.get("errors", {})
        self.detail = "" if errors else response.data["detail"]
        self._add_errors(errors)

    def _add_errors(self, errors: dict[str, Any]) -> None:
        for name, messages in errors.items():
            if isinstance(messages, dict):
                self._add_errors(messages)
            elif name not in self.fields:
                self.add_error(None, messages)
            elif not self.has_error(name):
                self.add_error(name, messages)


def form_page(request: HttpRequest, template: str, form: ApiForm, **context: Any) -> HttpResponse:
    """Return the form's page, with the status and headers of the API's error response."""
    response = render(request, template, {**context, "form": form}, status=form.status)
    if form.retry_after:
        response.headers["Retry-After"] = form.retry_after
    return response
