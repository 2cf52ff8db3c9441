"""All errors have the same format, whether raised by a view, DRF or Django."""

import base64
import json
from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from django.test import Client
from rest_framework.test import APIClient

from accounts.testing import a_user, an_admin, signed_in
from spot_optimizer import errors
from spot_optimizer.api import exceptions as api
from spot_optimizer.tests.failing_urls import SECRET

LOGIN = "/api/v1/auth/login"
USERS = "/api/v1/admin/users"
JSON = "application/json"


@pytest.fixture(autouse=True)
def in_the_database(db: None) -> None:
    cache.clear()  # reset the rate limits


def post(body: str | bytes, content_type: str = JSON, path: str = LOGIN, **headers: str):
    return Client().generic("POST", path, body, content_type=content_type, headers=headers)


def assert_refused(answer, status: int, code: str, *more: str) -> dict[str, object]:
    data = json.loads(answer.content)
    assert (answer.status_code, data["code"]) == (status, code)
    assert answer["Content-Type"] == JSON
    assert set(data) == {"detail", "code", *more}
    assert data["detail"].endswith(".")
    return data


class TestBodies:
    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"",
            b"x",
            b"{'a': 1}",
            b'{"email": NaN}',
            b"\xff\xfe",
            b"[" * 100_000,
            b'{"a":' * 65 + b"1" + b"}" * 65,
            b"1" * 5000,
            b"\xef\xbb\xbf{}",
        ],
        ids=lambda body: repr(body[:12]),
    )
    def test_that_are_no_json_of_ours_are_malformed(self, body):
        if body == b"":
            assert_refused(post(body), 400, "invalid", "errors")
        else:
            assert_refused(post(body), 400, "malformed")

    @pytest.mark.parametrize("body", ["[]", "[1, 2]", '"text"', "null", "7", "true"])
    def test_that_are_no_object_are_invalid(self, body):
        data = assert_refused(post(body), 400, "invalid", "errors")

        assert list(data["errors"]) == ["non_field_errors"]

    @pytest.mark.parametrize(
        "content_type",
        ["text/plain", "application/xml", "application/x-www-form-urlencoded",
         "multipart/form-data; boundary=x", "nonsense", ";"],
    )  # fmt: skip
    def test_of_another_kind_are_refused(self, content_type):
        assert_refused(post("{}", content_type), 415, "unsupported_media_type")

    @pytest.mark.parametrize("charset", ["utf-16", "base64", "zlib", "rot13", "no-such", '"'])
    def test_are_utf8_whatever_they_claim(self, charset):
        answer = post(b"{}", f"application/json; charset={charset}")

        assert_refused(answer, 400, "invalid", "errors")

    def test_of_more_than_a_mebibyte_are_too_large(self):
        answer = post(json.dumps({"email": "x" * 1024 * 1024}))

        assert_refused(answer, 413, "too_large")

    @pytest.mark.urls("spot_optimizer.tests.failing_urls")
    def test_of_a_mebibyte_are_read(self):
        text = json.dumps("x" * (1024 * 1024 - 2))

        answer = post(text, path="/api/v1/echo")

        assert (len(text), answer.status_code) == (1024 * 1024, 200)

    @pytest.mark.urls("spot_optimizer.tests.failing_urls")
    def test_of_64_levels_are_read(self):
        answer = post("[" * 64 + "]" * 64, path="/api/v1/echo")

        assert answer.status_code == 200

    @pytest.mark.urls("spot_optimizer.tests.failing_urls")
    @pytest.mark.parametrize("form", ["a=" + "x" * 1024 * 1024, "a&" * 1001])
    def test_that_django_rejects_have_the_error_format_too(self, form):
        answer = post(form, "application/x-www-form-urlencoded", path="/api/v1/form")

        status, code = (413, "too_large") if "x" in form else (400, "malformed")
        assert_refused(answer, status, code)


class TestRequests:
    @pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
    def test_with_another_method_are_refused(self, method):
        answer = getattr(APIClient(), method)(LOGIN)

        assert_refused(answer, 405, "method_not_allowed")
        assert "POST" in answer["Allow"]

    def test_that_accept_nothing_we_have_are_refused(self):
        answer = signed_in(a_user()).get("/api/v1/auth/profile", headers={"Accept": "image/png"})

        assert_refused(answer, 406, "not_acceptable")

    @pytest.mark.parametrize(
        "path",
        ["/api/v1/nothing", "/api/v1/auth/login/", "/api", "/nothing", "/api/v1/auth/login//",
         f"{USERS}/7", "/%00", "/%ff", "/api/v1/auth/profile/"],
    )  # fmt: skip
    @pytest.mark.parametrize("method", ["get", "post", "delete"])
    def test_for_unknown_addresses_are_missing(self, path, method):
        client = signed_in(an_admin())

        assert_refused(getattr(client, method)(path), 404, "not_found")

    @pytest.mark.parametrize("host", ["evil.example", "a b", "x\x00", "[::1"])
    def test_for_another_host_are_refused(self, host):
        assert_refused(Client().get(LOGIN, headers={"Host": host}), 400, "malformed")

    @pytest.mark.parametrize("accept", [";;;", "a", "*/*;q=x", ",", "application/json;v=2"])
    def test_with_a_strange_accept_header_break_nothing(self, accept):
        answer = Client().get("/api/v1/auth/profile", headers={"Accept": accept})

        assert answer.json()["code"] in ("not_authenticated", "not_acceptable")

    def test_for_a_format_we_do_not_have_are_refused(self):
        answer = signed_in(a_user()).get("/api/v1/auth/profile?format=xml")

        assert_refused(answer, 406, "not_acceptable")

    @pytest.mark.parametrize("path", ["/health", "/health/live", "/docs", "/api/schema"])
    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
    def test_with_another_method_are_refused_where_only_reading_makes_sense(self, path, method):
        answer = Client(enforce_csrf_checks=True).generic(method, path)

        assert_refused(answer, 405, "method_not_allowed")
        assert "GET" in answer["Allow"]

    def test_for_the_schema_with_a_bad_token_are_refused_in_json(self):
        answer = Client().get("/api/schema", headers={"Authorization": "Bearer x"})

        assert_refused(answer, 401, "token_invalid")

    @pytest.mark.parametrize(
        ("method", "path", "content_type", "advice"),
        [
            ("get", "/api/v1/auth/profile", JSON, "Sign in"),
            ("get", LOGIN, JSON, "Use POST"),
            ("post", LOGIN, "text/plain", "Content-Type: application/json"),
            ("post", LOGIN, JSON, "JSON object"),
        ],
    )
    def test_that_are_refused_get_advice(self, method, path, content_type, advice):
        answer = Client().generic(method.upper(), path, "[1]", content_type=content_type)

        assert advice in answer.json()["detail"]


@pytest.mark.urls("spot_optimizer.tests.failing_urls")
class TestRefusals:
    @pytest.mark.parametrize(
        ("failure", "status", "code"),
        [
            ("bug", 500, "error"),
            ("missing", 404, "not_found"),
            ("forbidden", 403, "role_required"),
            ("suspicious", 400, "malformed"),
            ("too-big", 413, "too_large"),
            ("database", 503, "unavailable"),
        ],
    )
    @pytest.mark.parametrize("where", ["/api/v1/", "/plain/"])
    def test_of_django_have_the_error_format_and_no_secret(self, where, failure, status, code):
        client = Client(raise_request_exception=False)

        answer = client.get(f"{where}{failure}")

        assert_refused(answer, status, code)
        assert SECRET not in answer.content.decode()

    def test_of_limits_have_a_retry_after_header(self):
        answer = Client().get("/api/v1/limit")

        data = assert_refused(answer, 429, "too_many_requests", "limit", "active")
        assert (data["limit"], data["active"], answer["Retry-After"]) == (5, 5, "7")

    @pytest.mark.parametrize(
        ("failure", "status", "code"),
        [
            ("aws", 502, "aws_UnauthorizedOperation"),
            ("aws-timeout", 504, "aws_timeout"),
            ("unavailable", 503, "unavailable"),
            ("conflict", 409, "conflict"),
        ],
    )
    def test_of_the_domain_have_their_numbers(self, failure, status, code):
        answer = Client().get(f"/api/v1/{failure}")

        assert_refused(answer, status, code)
        assert answer.get("Retry-After") == ("3" if failure == "unavailable" else None)


def test_every_kind_of_refusal_has_a_number():
    assert set(api.STATUS) == set(errors.DomainError.__subclasses__())


def cursor(**parts: str) -> str:
    return base64.b64encode(urlencode(parts).encode()).decode()


class TestPages:
    @pytest.mark.parametrize("limit", ["0", "-1", "201", "x", "", "1.5", "9" * 30, "²", "1\x00"])
    def test_of_a_bad_limit_are_refused(self, limit):
        answer = signed_in(an_admin()).get(USERS, {"limit": limit})

        data = assert_refused(answer, 400, "invalid", "errors")
        assert list(data["errors"]) == ["limit"]

    @pytest.mark.parametrize(
        "text",
        [
            "x",
            "é",
            "\x00",
            "!",
            cursor(p="x"),
            cursor(p="2026-13-45"),
            cursor(p="2026-11-02 12:00:00"),
            cursor(p="0001-01-01 00:00:00+14:00"),
            cursor(p="9999-12-31 23:59:59-14:00"),
            cursor(p="\x00"),
            cursor(o="x"),
            cursor(o="-1"),
            cursor(p="x", r="1"),
            cursor(p="0001-01-01 00:00:00+14:00", r="1"),
        ],
    )
    def test_of_a_bad_cursor_are_refused(self, text):
        answer = signed_in(an_admin()).get(USERS, {"cursor": text})

        data = assert_refused(answer, 400, "invalid", "errors")
        assert list(data["errors"]) == ["cursor"]

    def test_have_50_rows_and_up_to_200(self):
        for _ in range(51):
            a_user()
        client = signed_in(an_admin())

        assert len(client.get(USERS).json()["results"]) == 50
        assert len(client.get(USERS, {"limit": 200}).json()["results"]) == 52

    def test_show_each_row_once_in_both_directions(self):
        users = [a_user() for _ in range(6)]
        admin = an_admin()
        client = signed_in(admin)
        newest_first = [str(user.pk) for user in [admin, *reversed(users)]]

        seen, url = [], f"{USERS}?limit=2"
        while url:
            page = client.get(url).json()
            seen += [row["id"] for row in page["results"]]
            last, url = page, page["next"]

        assert seen == newest_first
        before = client.get(last["previous"]).json()
        assert [row["id"] for row in before["results"]] == newest_first[4:6]
