"""What all pages share: layout, security headers and error pages."""

import json
import re

import pytest
from django.test import Client

from accounts.testing import a_user, an_admin
from spot_optimizer.tests.failing_urls import SECRET

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
OPEN = ["/sign-in", "/register"]
CLOSED = ["/", "/sessions/new"]
pytestmark = pytest.mark.django_db


def browser(user=None, **options) -> Client:
    client = Client(headers={"Accept": BROWSER}, **options)
    if user:
        client.force_login(user)
    return client


def text_of(answer) -> str:
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    return answer.content.decode()


class TestPages:
    @pytest.mark.parametrize("path", OPEN + CLOSED)
    def test_have_no_inline_script_style_or_handler(self, path):
        answer = browser(None if path in OPEN else an_admin()).get(path)

        text = text_of(answer)
        assert not re.search(r"<script(?![^>]*\bsrc=)", text)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+\s*=|javascript:", text)
        policy = answer["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'self'" in policy
        assert "style-src 'self'" in policy

    @pytest.mark.parametrize("path", OPEN + CLOSED)
    def test_are_never_cached_or_framed(self, path):
        answer = browser(None if path in OPEN else a_user()).get(path)

        assert {"no-store", "private"} <= set(answer["Cache-Control"].split(", "))
        assert answer["X-Frame-Options"] == "DENY"
        assert answer["Referrer-Policy"] == "same-origin"

    @pytest.mark.parametrize("path", OPEN + CLOSED)
    def test_load_only_files_that_are_there_and_ours(self, path):
        client = browser(None if path in OPEN else a_user())
        files = re.findall(r'(?:src|href)="(/static/[^"]+)"', text_of(client.get(path)))

        assert len(files) >= 2
        for file in files:
            answer = client.get(file)
            assert answer.status_code == 200, file
            assert "http" not in b"".join(answer).decode().replace("http://www.w3.org", "")
            answer.close()

    def test_have_one_main_heading_a_language_and_a_way_past_the_menu(self):
        for path in OPEN + CLOSED:
            text = text_of(browser(None if path in OPEN else a_user()).get(path))

            assert text.count("<h1") == 1
            assert '<html lang="en">' in text
            assert '<a class="skip-link" href="#content">' in text
            assert '<main id="content"' in text

    def test_show_the_menu_of_their_role(self):
        user, admin = a_user(), an_admin()

        theirs, operators = text_of(browser(user).get("/")), text_of(browser(admin).get("/"))

        assert user.email in theirs
        assert 'href="/admin/"' not in theirs
        assert 'href="/admin/"' in operators
        assert 'href="/docs"' in theirs
        assert '<form method="post" action="/sign-out">' in theirs
        assert "/sign-out" not in text_of(browser().get("/sign-in"))

    def test_show_when_aws_is_an_emulator(self, settings):
        settings.AWS_ENDPOINT_URL = "http://127.0.0.1:1"
        emulated = text_of(browser(a_user()).get("/"))
        settings.AWS_ENDPOINT_URL = ""

        assert "Local AWS: an emulator, not AWS" in emulated
        assert "emulator" not in text_of(browser(a_user()).get("/"))

    @pytest.mark.parametrize("path", CLOSED)
    def test_are_read_or_sent_and_nothing_else(self, path):
        answer = browser(a_user()).delete(path)

        assert answer.status_code == 405
        assert "GET" in answer["Allow"]
        assert "Use GET" in text_of(answer)

    def test_show_what_people_write_as_text(self):
        answer = browser().post("/register", {"username": '"><script>alert(1)</script>'})

        assert "<script>alert" not in text_of(answer)


class TestErrors:
    def test_an_unknown_address_is_a_page_for_browsers(self):
        answer = browser(a_user()).get("/nothing")

        text = text_of(answer)
        assert answer.status_code == 404
        assert "Page not found" in text
        assert 'href="/"' in text
        assert "no-store" in answer["Cache-Control"]  # it shows who is signed in

    @pytest.mark.parametrize(
        ("path", "accept"),
        [
            ("/nothing", "application/json"),
            ("/nothing", "*/*"),
            ("/nothing", None),
            ("/nothing", "application/json, text/html"),
            ("/nothing", ";;;"),
            ("/api/v1/nothing", BROWSER),
        ],
    )
    def test_an_unknown_address_is_json_for_programs(self, path, accept):
        answer = Client().get(path, headers={"Accept": accept} if accept else {})

        assert answer.status_code == 404
        assert json.loads(answer.content)["code"] == "not_found"

    @pytest.mark.urls("spot_optimizer.tests.failing_urls")
    @pytest.mark.parametrize(
        ("failure", "status", "title"),
        [
            ("bug", 500, "Internal server error"),
            ("missing", 404, "Page not found"),
            ("forbidden", 403, "Access denied"),
            ("suspicious", 400, "Bad request"),
            ("too-big", 413, "Request too large"),
        ],
    )
    def test_failures_are_pages_without_secrets(self, failure, status, title):
        answer = browser(a_user(), raise_request_exception=False).get(f"/plain/{failure}")

        text = text_of(answer)
        assert answer.status_code == status
        assert f"<h1>{title}</h1>" in text
        assert SECRET not in text
        assert "unsafe" not in answer["Content-Security-Policy"]

    @pytest.mark.urls("spot_optimizer.tests.failing_urls")
    def test_an_internal_error_page_makes_no_query(self, django_assert_num_queries):
        client = browser(raise_request_exception=False)

        with django_assert_num_queries(0):
            answer = client.get("/plain/bug")

        assert answer.status_code == 500

    def test_another_host_is_a_page_too(self):
        answer = browser().get("/", headers={"Host": "evil.example"})

        assert answer.status_code == 400
        assert "Bad request" in text_of(answer)

    @pytest.mark.parametrize("path", ["/sign-in", "/register", "/sign-out"])
    def test_a_form_without_the_csrf_token_shows_what_to_do(self, path):
        answer = browser(a_user(), enforce_csrf_checks=True).post(path, {})

        assert answer.status_code == 403
        assert "This form has expired. Reload the page and submit it again." in text_of(answer)

    def test_the_admin_rejects_browsers_with_a_page(self):
        admin = an_admin()

        answer = browser(admin).get(f"/admin/accounts/user/{admin.pk}/delete/")

        assert answer.status_code == 403
        assert "Access denied" in text_of(answer)


def test_the_favicon_exists(client):
    answer = client.get("/favicon.ico", follow=True)

    assert answer.status_code == 200
    assert answer["Content-Type"] == "image/svg+xml"
    assert b"<svg" in b"".join(answer)
    answer.close()


def test_the_admin_leads_to_the_dashboard():
    assert '<a href="/">View site</a>' in text_of(browser(an_admin()).get("/admin/"))
