import json

import pytest
from django.contrib.auth.hashers import get_hasher
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import TokenFamily, User
from accounts.testing import PASSWORD, a_user, signed_in

pytestmark = pytest.mark.django_db
AUTH = "/api/v1/auth"


def post(path: str, body: object, client: APIClient | None = None):
    return (client or APIClient()).post(f"{AUTH}/{path}", body, format="json")


def register(**fields: object):
    body = {"email": "ada@example.com", "username": "ada", "password": PASSWORD}
    return post("register", body | fields)


def log_in(email: str, password: str = PASSWORD):
    return post("login", {"email": email, "password": password})


def bearer(tokens: dict[str, str]) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access_token']}")
    return client


class TestRegister:
    def test_assigns_the_role_user_regardless_of_the_body(self):
        answer = register(role="admin", is_staff=True, is_superuser=True)

        assert answer.status_code == 201
        assert answer.json()["user"]["role"] == "user"
        assert not User.objects.get().is_superuser

    def test_the_tokens_work_at_once(self):
        assert bearer(register().json()).get(f"{AUTH}/profile").status_code == 200

    def test_stores_the_email_in_lower_case(self):
        assert register(email="Ada@Example.COM").json()["user"]["email"] == "ada@example.com"

    def test_full_name_may_be_null_or_missing(self):
        assert register(full_name=None).json()["user"]["full_name"] == ""

    @pytest.mark.parametrize(
        ("field", "found"), [("email", "ADA@example.com"), ("username", "ADA")]
    )
    def test_names_conflicting_fields_in_any_case(self, field, found):
        register()
        other = {"email": "bob@example.com", "username": "bob"}

        answer = register(**other | {field: found})

        assert answer.status_code == 400
        assert answer.json()["code"] == "invalid"
        assert set(answer.json()["errors"]) == {field}
        assert User.objects.count() == 1

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("email", "no e-mail"),
            ("email", "a" * 250 + "@example.com"),
            ("email", "ada\x00@example.com"),
            ("email", "ada@exämple.com"),
            ("email", 7),
            ("email", None),
            ("email", ["ada@example.com"]),
            ("username", ""),
            ("username", "a" * 65),
            ("username", "a\x00b"),
            ("username", "a b"),
            ("username", 7),
            ("username", {}),
            ("password", "Ab3"),
            ("password", "password123"),
            ("password", "12345678901"),
            ("password", "ada@example.com"),
            ("password", "x" * 257),
            ("password", 1234567890123),
            ("password", PASSWORD + "\x00"),
            ("full_name", "x" * 201),
            ("full_name", "\x00"),
            ("full_name", True),
        ],
    )
    def test_a_bad_field_is_named(self, field, value):
        answer = register(**{field: value})

        assert answer.status_code == 400
        assert answer.json()["code"] == "invalid"
        assert list(answer.json()["errors"]) == [field]
        assert not User.objects.exists()

    @pytest.mark.parametrize("field", ["email", "username", "password", "full_name"])
    def test_an_unpaired_surrogate_is_a_malformed_body(self, field):
        body = {"email": "ada@example.com", "username": "ada", "password": PASSWORD}
        text = json.dumps(body | {field: "\ud800"})

        answer = APIClient().post(f"{AUTH}/register", text, content_type="application/json")

        assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
        assert not User.objects.exists()

    def test_all_bad_fields_are_named_together(self):
        answer = post("register", {})

        assert set(answer.json()["errors"]) == {"email", "username", "password"}

    def test_a_long_password_counts_to_its_end(self):
        long = "correct-Horse-7-" * 8
        register(password=long)

        assert log_in("ada@example.com", long).status_code == 200
        assert log_in("ada@example.com", long[:-1] + "x").status_code == 401

    def test_spaces_around_a_password_count(self):
        register(password=f" {PASSWORD} ")

        assert log_in("ada@example.com").status_code == 401
        assert log_in("ada@example.com", f" {PASSWORD} ").status_code == 200


class TestLogIn:
    def test_stores_the_time_of_the_sign_in(self):
        user = a_user()
        before = timezone.now()

        log_in(user.email)

        user.refresh_from_db()
        assert before <= user.last_login <= timezone.now()

    def test_accepts_the_email_in_any_case(self):
        assert log_in(a_user().email.upper()).status_code == 200

    def test_an_unknown_email_a_wrong_password_and_a_disabled_user_get_the_same_error(self):
        known, disabled = a_user(), a_user(is_active=False)

        answers = [
            log_in("nobody@example.com"),
            log_in(known.email, "wrong"),
            log_in(disabled.email),
        ]

        assert {answer.status_code for answer in answers} == {401}
        assert len({answer.content for answer in answers}) == 1
        assert answers[0].json()["code"] == "invalid_credentials"
        assert answers[0]["WWW-Authenticate"] == "Bearer"
        assert not TokenFamily.objects.exists()

    @pytest.mark.parametrize("who", ["known", "disabled", "unknown"])
    def test_hashes_exactly_once_for_any_email(self, who, monkeypatch):
        a_user(email="known@example.com")
        a_user(email="disabled@example.com", is_active=False)
        hashed = counted_bcrypt(monkeypatch)

        log_in(f"{who}@example.com", "wrong")

        assert hashed == [4]

    def test_a_stale_token_in_the_header_is_ignored(self):
        user = a_user()
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION="Bearer stale")

        answer = post("login", {"email": user.email, "password": PASSWORD}, client)

        assert answer.status_code == 200

    @pytest.mark.parametrize(
        "body", [{}, {"email": "a@b.de"}, {"email": 1, "password": []}, {"email": "\x00"}]
    )
    def test_a_bad_field_is_a_400(self, body):
        assert post("login", body).json()["code"] == "invalid"


def counted_bcrypt(monkeypatch) -> list[int]:
    """Record the rounds of each computed hash, as a deterministic measure of time."""
    library = get_hasher()._load_library()
    hashed: list[int] = []
    real = library.hashpw

    def counting(password: bytes, salt: bytes) -> bytes:
        hashed.append(int(salt.split(b"$")[2]))
        return real(password, salt)

    monkeypatch.setattr(library, "hashpw", counting)
    return hashed


class TestRefresh:
    def test_gives_new_tokens(self):
        first = log_in(a_user().email).json()

        second = post("refresh", {"refresh_token": first["refresh_token"]})

        assert second.status_code == 200
        assert second.json()["refresh_token"] != first["refresh_token"]
        assert bearer(second.json()).get(f"{AUTH}/profile").status_code == 200

    def test_works_repeatedly_with_the_newest_token(self):
        tokens = log_in(a_user().email).json()

        for _ in range(3):
            answer = post("refresh", {"refresh_token": tokens["refresh_token"]})
            assert answer.status_code == 200
            tokens = answer.json()

    def test_returns_the_role_from_the_database(self):
        user = a_user()
        tokens = log_in(user.email).json()
        User.objects.update(role="lab")

        answer = post("refresh", {"refresh_token": tokens["refresh_token"]})

        assert answer.json()["user"]["role"] == "lab"


class TestLogOut:
    def test_revokes_its_own_family_only(self):
        user = a_user()
        here, there = log_in(user.email).json(), log_in(user.email).json()

        answer = post("logout", {"refresh_token": here["refresh_token"]})

        assert (answer.status_code, answer.content) == (204, b"")
        assert bearer(here).get(f"{AUTH}/profile").json()["code"] == "token_revoked"
        again = post("refresh", {"refresh_token": here["refresh_token"]})
        assert again.json()["code"] == "token_revoked"
        assert bearer(there).get(f"{AUTH}/profile").status_code == 200

    def test_the_second_time_changes_nothing(self):
        tokens = log_in(a_user().email).json()
        post("logout", {"refresh_token": tokens["refresh_token"]})
        revoked_at = TokenFamily.objects.get().revoked_at

        answer = post("logout", {"refresh_token": tokens["refresh_token"]})

        assert answer.status_code == 204
        assert TokenFamily.objects.get().revoked_at == revoked_at


def test_user_and_family_are_looked_up_in_one_query(django_assert_num_queries):
    client = signed_in(a_user())

    with django_assert_num_queries(1):
        client.get(f"{AUTH}/profile")


def test_no_token_is_stored_anywhere():
    tokens = log_in(a_user().email).json()

    stored = [str(value) for row in TokenFamily.objects.values() for value in row.values()]

    assert not any(
        token.split(".")[2] in text
        for token in tokens.values()
        if isinstance(token, str) and token.count(".") == 2
        for text in stored
    )
