"""After all that is hostile: no marked secret is in an answer, a log at its loudest, or a row."""

import base64
import json
import logging
from urllib.parse import quote

import pytest
from django.conf import settings as project
from django.db import connection
from django.utils import timezone

from accounts import services
from accounts.testing import a_user, signed_in
from sandbox.models import SandboxSession
from spot_optimizer.tests.hostile.inputs import good, ids_of, load_schema, operations, send

pytestmark = pytest.mark.django_db(transaction=True)
# Longer than any field but the one it is for: wherever else it is put, it is refused.
TOKEN = "PLANTED/session+token==" * 200
SECRET = "PLANTED/aws-secret+key/0123456789abcdefgh"
PASSWORD = "Planted-Passw0rd-of-nobody"
PLACES = {"aws_session_token": TOKEN, "aws_secret_key": SECRET}
MARKS = {
    "an AWS secret": SECRET,
    "a session token": TOKEN[:46],
    "a password": PASSWORD,
    "the key of tokens": project.JWT_SECRET_KEY,
    "the key of sessions": project.SECRET_KEY,
    "the key of credentials": project.ENCRYPTION_KEYS[0],
    "EventBridge's secret": project.EVENTBRIDGE_SECRET,
}


@pytest.fixture(autouse=True)
def without_rate_limits(settings):
    settings.THROTTLE_LOGIN = settings.THROTTLE_LOGIN_ADDRESS = "1000000/min"


def everything_readable():
    """Return every value of every row, as the database shows it."""
    parts = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608  # the database's own names
            for row in cursor.fetchall():
                parts += [
                    bytes(v) if isinstance(v, bytes | memoryview) else str(v).encode() for v in row
                ]
    return b"\n".join(parts)


def misplaced(operation):
    """Return bodies of an operation with secrets wherever somebody could put them by mistake."""
    whole = good(operation.body or {"properties": {}})
    right = {name: PLACES[name] for name in whole if name in PLACES}
    right |= {name: PASSWORD for name in whole if name.endswith("password")}
    for name in whole:
        for wrong in (TOKEN, [TOKEN], {TOKEN: TOKEN}, {"a": [SECRET, PASSWORD]}):
            if name not in right and not isinstance(whole[name], dict):
                yield json.dumps(whole | right | {name: wrong}).encode()
    yield json.dumps(whole | right).encode()[:-1]
    yield json.dumps(whole | right | {TOKEN: SECRET}).encode() + b"x"
    yield json.dumps([TOKEN, SECRET, PASSWORD]).encode()
    yield json.dumps(TOKEN).encode()


def test_no_planted_secret_is_anywhere(caplog):
    caplog.set_level(logging.DEBUG)
    user = a_user(password=PASSWORD)
    tokens = services.start_family(user=user, now=timezone.now())
    marks = MARKS | {"an access token": str(tokens.access), "a refresh token": str(tokens.refresh)}
    client, own, answers = signed_in(user), ids_of(user), []
    client.raise_request_exception = False
    wrongly = {"X-Secret": SECRET, "Cookie": f"sessionid={quote(SECRET)}"}

    for operation in operations(load_schema()):
        url = f"{operation.url(**own)}?secret={quote(SECRET)}&limit={quote(SECRET)}"
        for body in misplaced(operation):
            answers.append(send(client, operation, url, body, **wrongly))
        for headers in (
            {"Authorization": f"Bearer {SECRET}"},
            {"Authorization": f"Basic {base64.b64encode(PASSWORD.encode()).decode()}"},
            {"Authorization": f"Bearer {tokens.access}", "Content-Type": "text/plain"},
            {"Authorization": f"Bearer {tokens.refresh}", "Accept": SECRET},
        ):
            answers.append(send(client, operation, url, SECRET.encode(), **headers))
    opened = client.post(
        "/api/v1/sandbox/sessions",
        {**good_session(), **PLACES, "mode": "live"},
        format="json",
    )

    assert opened.status_code == 201, opened.content
    assert repr(SandboxSession.objects.get(pk=opened.json()["session_id"]))
    answers = b"\n".join(
        answer.content + str(answer.headers).encode() for answer in [*answers, opened]
    )
    for what, mark in marks.items():
        for place, text in {"answers": answers, "rows": everything_readable()}.items():
            assert mark.encode() not in text, (what, place)
            assert json.dumps(mark)[1:-1].encode() not in text, (what, place)
        assert mark.encode() not in caplog.text.encode(), (what, "log")
    assert len(answers) > 100
    assert caplog.text


def good_session():
    [create] = [
        each for each in operations(load_schema()) if str(each) == "POST /api/v1/sandbox/sessions"
    ]
    return good(create.body)
