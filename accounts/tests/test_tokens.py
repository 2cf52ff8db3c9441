"""Invalid, forged and replayed tokens are rejected with the right code (S10)."""

import base64
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from django.conf import settings
from django.contrib.auth.hashers import get_hasher
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import services
from accounts.models import TokenFamily, User
from accounts.testing import PASSWORD, a_user, an_admin
from accounts.tokens import Tokens

pytestmark = pytest.mark.django_db
KEY = settings.JWT_SECRET_KEY
PAST = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp())
FUTURE = int(datetime(2090, 1, 1, tzinfo=UTC).timestamp())
INVALID, EXPIRED, REVOKED = "token_invalid", "token_expired", "token_revoked"


def tokens_for(user: User) -> Tokens:
    return services.start_family(user=user, now=timezone.now())


def profile(token: str):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client.get("/api/v1/auth/profile")


def refresh(token: str):
    return APIClient().post("/api/v1/auth/refresh", {"refresh_token": token}, format="json")


def coded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def changed(claims: dict[str, Any], *, drop: str = "", **changes: Any) -> str:
    remaining = {name: value for name, value in claims.items() if name != drop}
    return jwt.encode(remaining | changes, KEY, algorithm="HS256")


def signed_with_sha512(claims: dict[str, Any]) -> str:
    text = unsigned(claims, "HS512")[:-1]
    signature = hmac.digest(KEY.encode(), text.encode(), "sha512")
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def unsigned(claims: dict[str, Any], alg: object) -> str:
    return f"{coded({'alg': alg, 'typ': 'JWT'})}.{coded(claims)}."


ATTACKS: dict[str, tuple[Callable[[dict[str, Any]], str], str]] = {
    "another algorithm": (lambda c: signed_with_sha512(c), INVALID),
    "no algorithm": (lambda c: unsigned(c, "none"), INVALID),
    "no algorithm, shouted": (lambda c: unsigned(c, "NONE"), INVALID),
    "an algorithm that is no text": (lambda c: unsigned(c, ["HS256"]), INVALID),
    "no signature": (lambda c: unsigned(c, "HS256"), INVALID),
    "another key": (lambda c: jwt.encode(c, "k" * 40, algorithm="HS256"), INVALID),
    "Django's key": (lambda c: jwt.encode(c, settings.SECRET_KEY, algorithm="HS256"), INVALID),
    "another payload under an old signature": (
        lambda c: swapped(changed(c), c | {"role": "admin"}),
        INVALID,
    ),
    "expired": (lambda c: changed(c, exp=PAST), EXPIRED),
    "not yet valid": (lambda c: changed(c, nbf=FUTURE), INVALID),
    "issued in the future": (lambda c: changed(c, iat=FUTURE), INVALID),
    "no expiry": (lambda c: changed(c, drop="exp"), INVALID),
    "no id": (lambda c: changed(c, drop="jti"), INVALID),
    "no kind": (lambda c: changed(c, drop="token_type"), INVALID),
    "no user": (lambda c: changed(c, drop="sub"), INVALID),
    "no family": (lambda c: changed(c, drop="sid"), INVALID),
    "a family that is no id": (lambda c: changed(c, sid="x"), INVALID),
    "a family that is a list": (lambda c: changed(c, sid=[]), INVALID),
    "a family that never was": (lambda c: changed(c, sid=str(uuid4())), REVOKED),
    "somebody else's family": (lambda c: changed(c, sub=str(uuid4())), INVALID),
    "brackets without end": (lambda c: "W1tb" * 450 + "." + coded({}) + ".x", INVALID),
    "a novel": (lambda c: "a" * 100_000, INVALID),
    "no token": (lambda c: "x", INVALID),
    "three dots": (lambda c: "...", INVALID),
    "not even text": (lambda c: "\xff\xfe.\xff.\xff", INVALID),
    "nothing": (lambda c: "", INVALID),
}


def swapped(token: str, claims: dict[str, Any]) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{coded(claims)}.{signature}"


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_access_token_is_refused(attack):
    forge, code = ATTACKS[attack]
    tokens = tokens_for(a_user())

    answer = profile(forge(tokens.access.payload))

    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer["WWW-Authenticate"] == "Bearer"
    assert profile(str(tokens.access)).status_code == 200


@pytest.mark.parametrize(("ahead", "status"), [(5, 200), (60, 401)])
def test_a_server_whose_clock_is_seconds_behind_accepts_a_new_token(ahead, status):
    token = tokens_for(a_user()).access.payload

    answer = profile(changed(token, iat=token["iat"] + ahead))

    assert answer.status_code == status


@pytest.mark.parametrize("attack", sorted(set(ATTACKS) - {"nothing", "a novel", "not even text"}))
def test_a_refresh_token_is_refused(attack):
    forge, code = ATTACKS[attack]
    tokens = tokens_for(a_user())
    forged = forge(tokens.refresh.payload)
    # The error must not reveal that another user's family exists.
    code = REVOKED if attack == "somebody else's family" else code

    answer = refresh(forged)

    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert refresh(str(tokens.refresh)).status_code == 200


@pytest.mark.parametrize(
    "claims", [{"exp": 10**30}, {"exp": -(10**30)}, {"iat": 10**30}, {"jti": {}}, {"jti": "x"},
               {"nbf": 10**30}, {"sub": 5}, {"sid": []}, {"exp": "9" * 5000}],
)  # fmt: skip
def test_an_invalid_claim_is_rejected_without_a_server_error(claims):
    tokens = tokens_for(a_user())

    answers = [
        profile(changed(tokens.access.payload, **claims)),
        refresh(changed(tokens.refresh.payload, **claims)),
    ]

    assert {(each.status_code, each.json()["code"]) for each in answers} <= {
        (401, INVALID),
        (401, EXPIRED),
        (400, "invalid"),  # longer than a token can be
    }


def test_a_deeply_nested_header_is_rejected_without_a_server_error():
    deep = base64.urlsafe_b64encode(b"[" * 1400).rstrip(b"=").decode()

    answer = refresh(f"{deep}.e30.x")

    assert (answer.status_code, answer.json()["code"]) == (401, INVALID)


def test_a_revoked_unused_token_is_not_reported_as_used():
    refresh_token = str(tokens_for(a_user()).refresh)
    body = {"refresh_token": refresh_token}
    APIClient().post("/api/v1/auth/logout", body, format="json")

    answer = refresh(refresh_token)

    assert answer.json()["code"] == REVOKED
    assert "revoked" in answer.json()["detail"]
    assert "used" not in answer.json()["detail"]


def test_the_header_of_a_valid_token_follows_the_contract():
    access = tokens_for(an_admin()).access

    claims = jwt.decode(str(access), KEY, algorithms=["HS256"])

    assert jwt.get_unverified_header(str(access))["alg"] == "HS256"
    assert {"sub", "role", "sid", "iat", "exp", "jti"} <= set(claims)
    assert claims["role"] == "admin"
    assert claims["exp"] - claims["iat"] == 86400


def test_a_refresh_token_is_no_access_token():
    assert profile(str(tokens_for(a_user()).refresh)).json()["code"] == INVALID


def test_an_access_token_is_no_refresh_token():
    tokens = tokens_for(a_user())

    for path in ("refresh", "logout"):
        body = {"refresh_token": str(tokens.access)}
        answer = APIClient().post(f"/api/v1/auth/{path}", body, format="json")
        assert (answer.status_code, answer.json()["code"]) == (401, INVALID)
    assert profile(str(tokens.access)).status_code == 200


def test_a_replayed_refresh_token_ends_its_whole_family():
    first = str(tokens_for(a_user()).refresh)
    newest = refresh(first).json()

    answer = refresh(first)

    assert (answer.status_code, answer.json()["code"]) == (401, REVOKED)
    assert profile(newest["access_token"]).json()["code"] == REVOKED
    assert refresh(newest["refresh_token"]).json()["code"] == REVOKED
    assert TokenFamily.objects.get().revoked_at is not None


def test_a_disabled_user_is_out_at_once():
    user = a_user()
    tokens = tokens_for(user)
    User.objects.update(is_active=False)

    assert profile(str(tokens.access)).json()["code"] == REVOKED
    assert refresh(str(tokens.refresh)).json()["code"] == REVOKED


def test_a_deleted_user_is_out_at_once():
    user = a_user()
    tokens = tokens_for(user)
    user.delete()

    assert profile(str(tokens.access)).json()["code"] == REVOKED
    assert refresh(str(tokens.refresh)).json()["code"] == REVOKED


def test_the_role_in_the_token_opens_nothing():
    claims = tokens_for(a_user()).access.payload
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {changed(claims, role='admin')}")

    answer = client.get("/api/v1/admin/users")

    assert (answer.status_code, answer.json()["code"]) == (403, "role_required")


def test_a_new_role_counts_at_once():
    user = a_user()
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens_for(user).access}")
    User.objects.update(role="admin")

    assert client.get("/api/v1/admin/users").status_code == 200


@pytest.mark.parametrize("header", ["Basic dTpw", "Token x", "bearerx y", "x"])
def test_another_scheme_is_not_signed_in(header):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=header)

    answer = client.get("/api/v1/auth/profile")

    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_a_token_is_in_no_repr():
    tokens = tokens_for(a_user())

    assert str(tokens.refresh).split(".")[2] not in repr(tokens)
    assert tokens.refresh["jti"] not in repr(tokens)


def test_a_log_in_with_the_old_password_loses_to_its_change(monkeypatch):
    """The change commits while the old password is being hashed."""
    user = a_user()
    library = get_hasher()._load_library()
    real = library.hashpw

    def overtaken(password: bytes, salt: bytes) -> bytes:
        User.objects.filter(pk=user.pk).update(password="changed meanwhile")
        return real(password, salt)

    monkeypatch.setattr(library, "hashpw", overtaken)

    with pytest.raises(services.InvalidCredentials):
        services.log_in(email=user.email, password=PASSWORD, now=timezone.now())

    assert not TokenFamily.objects.exists()


def test_a_token_has_the_time_at_which_it_was_issued():
    noon = timezone.now() - timedelta(days=2)

    tokens = services.start_family(user=a_user(), now=noon)

    assert profile(str(tokens.access)).json()["code"] == EXPIRED
