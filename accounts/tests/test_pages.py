"""The pages to sign in, register and sign out."""

import re
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts import sign_in_links as links
from accounts.models import TokenFamily, User
from accounts.testing import PASSWORD, a_user, an_admin

pytestmark = pytest.mark.django_db


def sign_in(email: str, password: str = PASSWORD, *, path: str = "/sign-in", **client):
    return Client(**client).post(path, {"email": email, "password": password})


def is_signed_in(client: Client) -> bool:
    return client.get("/").status_code == 200


def by_link(token: str, client: Client | None = None):
    client = client or Client()
    return client, client.get("/sign-in/link", {"token": token})


class TestSignIn:
    def test_leads_home(self):
        user = a_user()
        client = Client()

        answer = client.post("/sign-in", {"email": user.email, "password": PASSWORD})

        assert (answer.status_code, answer["Location"]) == (302, "/")
        assert user.email in client.get("/").content.decode()

    def test_creates_no_token_family(self):
        sign_in(a_user().email)

        assert not TokenFamily.objects.exists()

    def test_leads_back_to_where_they_wanted_to_go(self):
        answer = Client().get("/sessions/new?demo")
        page = answer["Location"]
        user = a_user()

        back = sign_in(user.email, path=page)

        assert page == "/sign-in?next=/sessions/new%3Fdemo"
        assert back["Location"] == "/sessions/new?demo"

    @pytest.mark.parametrize(
        "elsewhere",
        ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""],
    )
    def test_leads_nowhere_else(self, elsewhere):
        user = a_user()

        answer = Client().post(
            "/sign-in",
            {"email": user.email, "password": PASSWORD},
            QUERY_STRING=f"next={elsewhere}",
        )

        assert answer["Location"] == "/"

    def test_gives_the_same_error_for_an_unknown_email_a_wrong_password_and_a_disabled_user(self):
        known, disabled = a_user(), a_user(is_active=False)
        answers = [
            sign_in("nobody@example.com", "wrong"),
            sign_in(known.email, "wrong"),
            sign_in(disabled.email),
        ]
        emails = ["nobody@example.com", known.email, disabled.email]

        texts = [
            body_of(answer).replace(email, "…")
            for answer, email in zip(answers, emails, strict=True)
        ]

        assert {answer.status_code for answer in answers} == {401}
        assert "E-mail or password is wrong. Try again." in texts[0]
        assert texts[0] == texts[1] == texts[2]

    def test_renders_the_email_but_not_the_password(self):
        text = sign_in("nobody@example.com", "a-guess-of-mine").content.decode()

        assert 'value="nobody@example.com"' in text
        assert "a-guess-of-mine" not in text

    def test_is_rate_limited_per_account_with_the_wait(self, settings):
        settings.THROTTLE_LOGIN = "2/min"
        user = a_user()
        for _ in range(2):
            sign_in(user.email, "wrong")

        answer = sign_in(user.email)

        assert answer.status_code == 429
        assert 1 <= int(answer["Retry-After"]) <= 60
        assert f"Try again in {answer['Retry-After']} seconds." in answer.content.decode()
        assert "sessionid" not in answer.cookies

    def test_is_rate_limited_for_an_unknown_email_too(self, settings):
        settings.THROTTLE_LOGIN = "1/min"

        answers = [sign_in(email) for email in ["no@example.com", " NO@example.com "]]

        assert [answer.status_code for answer in answers] == [401, 429]

    def test_is_slowed_per_address(self, settings):
        settings.THROTTLE_LOGIN_ADDRESS = "2/min"

        answers = [sign_in(f"user-{n}@example.com", REMOTE_ADDR="192.0.2.7") for n in range(3)]

        assert [answer.status_code for answer in answers] == [401, 401, 429]

    @pytest.mark.parametrize("email", ["", "\x00", "x" * 300, "²@example.com"])
    def test_rejects_invalid_emails(self, email):
        assert sign_in(email).status_code in (400, 401)

    def test_names_the_fields_that_are_missing(self):
        answer = Client().post("/sign-in", {})

        text = answer.content.decode()
        assert answer.status_code == 400
        assert text.count('aria-invalid="true"') == 2
        assert '<a href="#id_email">E-mail</a>: This field is required.' in text

    def test_redirects_signed_in_users(self, client):
        client.force_login(a_user())

        answer = client.get("/sign-in?next=/sessions/new")

        assert answer["Location"] == "/sessions/new"

    def test_is_never_cached(self):
        assert "no-store" in Client().get("/sign-in")["Cache-Control"]


class TestRegister:
    ADA = {"email": "Ada@example.com", "username": "ada", "password": PASSWORD, "full_name": ""}

    def test_makes_a_user_and_signs_them_in(self):
        client = Client()

        answer = client.post("/register?next=/sessions/new", self.ADA | {"role": "admin"})

        user = User.objects.get(email="ada@example.com")
        assert (answer.status_code, answer["Location"]) == (302, "/sessions/new")
        assert (user.role, user.check_password(PASSWORD)) == ("user", True)
        assert is_signed_in(client)

    def test_shows_errors_at_their_fields(self):
        a_user(email="ada@example.com", username="ada")

        answer = Client().post("/register", self.ADA)

        text = answer.content.decode()
        assert answer.status_code == 400
        assert "This e-mail is already registered. Sign in, or use another." in text
        assert "This user name is already in use. Choose another." in text
        assert 'value="Ada@example.com"' in text
        assert PASSWORD not in text

    @pytest.mark.parametrize("change", [{"password": "12345"}, {"email": "x"}, {"username": "a b"}])
    def test_makes_no_bad_user(self, change):
        answer = Client().post("/register", self.ADA | change)

        assert answer.status_code == 400
        assert not User.objects.exists()

    def test_is_slowed_per_address(self, settings):
        settings.THROTTLE_REGISTER = "1/min"
        Client().post("/register", {})

        answer = Client().post("/register", self.ADA)

        assert answer.status_code == 429
        assert f"Try again in {answer['Retry-After']} seconds." in answer.content.decode()
        assert not User.objects.exists()

    def test_shares_its_limit_with_the_api(self, settings):
        settings.THROTTLE_REGISTER = "1/min"
        Client().post("/api/v1/auth/register", {}, content_type="application/json")

        assert Client().post("/register", self.ADA).status_code == 429


class TestSignOut:
    def test_ends_it_and_leads_to_the_sign_in(self, client):
        client.force_login(a_user())

        answer = client.post("/sign-out")

        assert answer["Location"] == "/sign-in"
        assert not is_signed_in(client)

    def test_is_a_form_only(self, client):
        client.force_login(a_user())

        answer = client.get("/sign-out")

        assert (answer.status_code, answer["Allow"]) == (405, "POST")
        assert "Use POST." in answer.content.decode()
        assert is_signed_in(client)


class TestLink:
    def test_signs_in(self):
        admin = an_admin()

        client, answer = by_link(links.sign_in_token(admin))

        assert (answer.status_code, answer["Location"]) == (302, "/")
        assert admin.email in client.get("/").content.decode()

    def test_works_once(self):
        token = links.sign_in_token(an_admin())
        by_link(token)

        client, answer = by_link(token)

        assert answer.status_code == 409
        assert "Sign in with your password, or start the quick start again" in body_of(answer)
        assert not is_signed_in(client)

    def test_clicked_twice_by_the_same_person_leads_home(self):
        token = links.sign_in_token(an_admin())
        client, _ = by_link(token)

        _, answer = by_link(token, client)

        assert (answer.status_code, answer["Location"]) == (302, "/")

    def test_works_for_a_short_time_only(self, monkeypatch):
        token = links.sign_in_token(an_admin())
        monkeypatch.setattr(links, "VALID_FOR", timedelta(seconds=-1))

        _, answer = by_link(token)

        assert answer.status_code == 409

    def test_is_spent_by_another_log_in_of_its_user(self):
        admin = an_admin()
        token = links.sign_in_token(admin)
        sign_in(admin.email)

        assert by_link(token)[1].status_code == 409

    @pytest.mark.parametrize(
        "change", [lambda t: t[:-1], lambda t: "x" + t, lambda _: "", str.upper]
    )
    def test_that_is_forged_is_rejected(self, change):
        _, answer = by_link(change(links.sign_in_token(an_admin())))

        assert answer.status_code == 409

    def test_of_a_disabled_user_is_refused(self):
        admin = an_admin()
        token = links.sign_in_token(admin)
        User.objects.update(is_active=False)

        assert by_link(token)[1].status_code == 409

    def test_is_refused_in_production(self, settings):
        token = links.sign_in_token(an_admin())
        settings.IS_PRODUCTION = True

        client, answer = by_link(token)

        assert answer.status_code == 404
        assert not is_signed_in(client)

    def test_is_not_redeemed_by_a_head_request(self):
        token = links.sign_in_token(an_admin())

        head = Client().head("/sign-in/link", {"token": token})

        assert head.status_code == 405
        assert by_link(token)[1].status_code == 302

    def test_is_not_logged(self, caplog):
        caplog.set_level("DEBUG")
        token = links.sign_in_token(an_admin())
        by_link(token)
        by_link(token)

        assert token not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_of_simultaneous_uses_of_a_link_one_wins():
    token, won = links.sign_in_token(an_admin()), []
    start = threading.Barrier(6)

    def use() -> None:
        start.wait()
        try:
            won.append(links.redeem(token, now=timezone.now()))
        except links.LinkUsed:
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(won) == 1


def test_a_disabled_user_is_out_at_once(client):
    client.force_login(a_user())
    User.objects.update(is_active=False)

    answer = client.get("/")

    assert (answer.status_code, answer["Location"]) == (302, "/sign-in?next=/")


def body_of(answer) -> str:
    """Return the visible text, without the CSRF token, which differs in each response."""
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", answer.content.decode())
