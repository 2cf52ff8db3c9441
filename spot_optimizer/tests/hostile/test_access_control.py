"""Nobody's token, and nobody else's ids: a table made from the schema, for every role."""

import json
from datetime import timedelta
from uuid import uuid4

import jwt
import pytest
from django.conf import settings as project
from django.test import Client
from django.utils import timezone

from accounts import services
from accounts.testing import a_user, signed_in
from spot_optimizer.tests.hostile.inputs import (
    FORMATS,
    assert_documented_error,
    database_fingerprint,
    good,
    ids_of,
    load_schema,
    operations,
    send,
)

pytestmark = pytest.mark.django_db(transaction=True)
ROLES = ["user", "lab", "admin"]
KEY = project.JWT_SECRET_KEY
# Whose these are nobody asks: models are everybody's, users the admins'.
SHARED = {"model_id", "user_id"}
OF_TOKENS = {"not_authenticated", "token_invalid", "token_expired", "token_revoked"}


@pytest.fixture(autouse=True)
def without_rate_limits(settings):
    settings.THROTTLE_LOGIN = settings.THROTTLE_LOGIN_ADDRESS = "1000000/min"


def bad_tokens():
    """Return what may stand behind ``Bearer`` and must open nothing, by what is wrong with it."""
    user, other, disabled = a_user(), a_user(), a_user(is_active=False)
    now = timezone.now()
    tokens = services.start_family(user=user, now=now)
    revoked = services.start_family(user=other, now=now)
    services.log_out(refresh_token=str(revoked.refresh), now=now)
    claims, refresh = dict(tokens.access.payload), str(tokens.refresh)

    def signed(key=KEY, algorithm="HS256", headers=None, **changes):
        changed = {name: each for name, each in (claims | changes).items() if each is not ...}
        return jwt.encode(changed, key, algorithm=algorithm, headers=headers)

    late, early = int((now - timedelta(days=2)).timestamp()), int(now.timestamp()) + 9999
    head, body, signature = str(tokens.access).split(".")
    return {
        "none": signed(None, "none"),
        "another key": signed("k" * 64),
        "the key of sessions": signed(project.SECRET_KEY),
        "HS512": signed(KEY * 2, "HS512"),
        "HS384 with our key": signed(KEY, "HS384"),
        "kid": signed("k" * 64, headers={"kid": "../../dev/null"}),
        "jku": signed("k" * 64, headers={"jku": "http://127.0.0.1:1/"}),
        "expired": signed(exp=late),
        "not yet valid": signed(nbf=early),
        "exp is text": signed(exp="never"),
        "exp is huge": signed(exp=10**30),
        "no exp": signed(exp=...),
        "no sub": signed(sub=...),
        "no sid": signed(sid=...),
        "no jti": signed(jti=...),
        "no type": signed(token_type=...),
        "another type": signed(token_type="admin"),
        "sub is another's": signed(sub=str(other.pk)),
        "sub is text": signed(sub="x"),
        "sid is nobody's": signed(sid=str(uuid4())),
        "sid is text": signed(sid="' OR 1=1"),
        "refresh": refresh,
        "revoked": str(revoked.access),
        "disabled": str(services.start_family(user=disabled, now=now).access),
        "no signature": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "another signature": f"{head}.{body}.{signature[::-1]}",
        "turned": f"{body}.{head}.{signature}",
        "twice": f"{tokens.access} {tokens.access}",
        "garbage": "x" * 5000,
        "dots": "." * 5000,
        "empty": "",
        "null": "null",
        "no ascii": "é\xff",
        "zero": "\0",
    }


@pytest.fixture
def codes():
    return OF_TOKENS


def test_no_bad_token_opens_anything(codes):
    closed = [each for each in operations(load_schema()) if not each.is_open]
    tokens, before = bad_tokens(), database_fingerprint()
    for operation in closed:
        for wrong, token in tokens.items():
            answer = send(Client(), operation, operation.url(), Authorization=f"Bearer {token}")

            assert answer.status_code == 401, (str(operation), wrong)
            assert answer["WWW-Authenticate"] == "Bearer"
            assert_documented_error(answer, codes, (str(operation), wrong))
    assert database_fingerprint() == before


@pytest.mark.parametrize("header", ["Basic dTpw", "Token x", "x", "", "Bearer", "bearer  ", ","])
def test_no_other_header_opens_anything(header, codes):
    for operation in operations(load_schema()):
        if not operation.is_open:
            answer = send(Client(), operation, operation.url(), Authorization=header)

            assert answer.status_code == 401, (str(operation), header)
            assert_documented_error(answer, codes, (str(operation), header))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("owner", ROLES)
def test_another_users_objects_are_not_found_for_any_role(role, owner):
    theirs = ids_of(a_user(owner))
    me = a_user(role)
    mine = ids_of(me, instance_id="i-of-mine")
    client, before = signed_in(me), database_fingerprint()
    for operation in operations(load_schema()):
        for name in set(operation.ids) - SHARED:
            body = json.dumps(good(operation.body or {"properties": {}})).encode()
            for_them = send(client, operation, operation.url(**mine | {name: theirs[name]}), body)
            unknown = send(client, operation, operation.url(**mine | {name: FORMATS["uuid"]}), body)

            is_for_others = role == "user" and for_them.status_code == 403  # by role, whatever id
            assert is_for_others or for_them.status_code == 404, (str(operation), name)
            assert for_them.content == unknown.content, (str(operation), name)
    assert database_fingerprint() == before


def test_admin_endpoints_are_refused_to_other_roles():
    for role in ("user", "lab"):
        client, other = signed_in(a_user(role)), a_user()
        before = database_fingerprint()
        for operation in operations(load_schema()):
            if operation.path.startswith("/api/v1/admin/"):
                answer = send(client, operation, operation.url(user_id=other.pk))

                assert (answer.status_code, answer.json()["code"]) == (403, "role_required")
        assert database_fingerprint() == before
