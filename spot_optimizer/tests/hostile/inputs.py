"""
Every operation of the schema, and what somebody hostile would send to it.

All of it is read from the schema and the addresses: a new endpoint is in it by itself.
"""

import json
import re
from asyncio import iscoroutinefunction
from collections import Counter
from contextlib import nullcontext
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import uuid4

from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve

from accounts.models import User
from sandbox.testing import a_session, an_evaluation

STATUS_COUNTS: Counter = Counter()  # answers by status, for the summary
JSON = "application/json"
ERROR_FIELDS = {"detail", "code", "errors", "limit", "active", "evaluation_id"}
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "FOO"]

# A good value of what no type and format can tell; a field that is not here gets one by its type.
GOOD = {
    "email": "hostile@example.com",
    "username": "hostile",
    "password": "correct-Horse-7-battery",
    "current_password": "correct-Horse-7-battery",
    "new_password": "another-Horse-8-battery",
    "aws_region": "us-east-1",
    "region": "us-east-1",
    "account": "123456789012",
    "instance_id": "i-0123456789abcdef0",
    "instance_type": "m5.large",
    "health_check_url": "https://health.example.com/",
}
FORMATS = {
    "uuid": "00000000-0000-4000-8000-000000000000",
    "date-time": "2099-01-01T00:00:00Z",
    "email": "hostile@example.com",
    "uri": "https://health.example.com/",
}
OF_TYPE = {"string": "x", "integer": 60, "number": 0.5, "boolean": True, "array": [], "null": None}

INVALID_TEXT = [
    "", " ", "\0", "a\0b", "\ud800", "a\udfffb", "\u202e\u0000", "é" * 300, "x" * 65_536,
    "'; DROP TABLE accounts_user; --", "../../../etc/passwd", "{{7*7}}", "%s%n%x", "<script>",
    "\r\nX-Injected: 1", "0x10", "١٢٣", "1e400", "NaN", "null", "true", "-0", "0" * 5000,
    "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-02-30T25:61:61Z",
    "ffffffff-ffff-ffff-ffff-ffffffffffff", "{00000000-0000-4000-8000-000000000000}",
    "http://[", "//evil.example", "a@b@c", "us-east-1.evil.example/", "\ufeff", "\x7f\x1b[2J",
]  # fmt: skip
INVALID_VALUES = [
    None, True, False, 0, -1, 1, 1.5, -0.0, 1e308, 2**31, 2**63, -(2**63) - 1, 10**400,
    [], [None], [[]], {}, {"": ""}, {"$ne": None}, [1] * 10_000, {"a": {"b": {"c": []}}},
    *INVALID_TEXT,
]  # fmt: skip
RAW_BODIES = [
    b"", b" ", b"{", b"}", b"{}", b"[]", b"null", b"true", b"0", b'""', b"NaN", b"Infinity",
    b"-Infinity", b"1e400", b"[" * 100_000, b'{"a":' * 100 + b"1" + b"}" * 100, b"\xff\xfe{\0}\0",
    b"\xef\xbb\xbf{}", b"\0", b"{}\0", b"{'a': 1}", b'{"a": 1,}', b'{"a": 01}', b"9" * 5000,
    b'{"a": "\x01"}', b'{"\\ud800": 1}', b'{"a": "\\ud800"}', b'{"a": "\xff"}', b"// x\n{}",
    b'{"a": 1}{"a": 1}', b"[" + b"1," * 100_000 + b"1]", b'{"a": "' + b"x" * 1_048_576 + b'"}',
    b"{" + b",".join(b'"%d": 1' % n for n in range(50_000)) + b"}", b"\x1f\x8b\x08\0\0\0\0\0\0\3",
    b"a=1&b=2", b"<a/>", b"--x\r\n\r\n--x--", b'{"__proto__": {"a": 1}, "constructor": 1}',
]  # fmt: skip
INVALID_KINDS = [
    "text/plain", "text/html", "application/xml", "application/x-www-form-urlencoded", ";", "/",
    "multipart/form-data", "multipart/form-data; boundary=x", "application/json/x", "x" * 5000,
    "application/merge-patch+json", "*/*", "application/json; charset=utf-16", "\x7f",
    "application/json; charset=\x7f", "application/json; charset=zip", 'application/json; a="',
]  # fmt: skip
INVALID_QUERY = [
    "", "0", "-1", "201", "1.5", "1e3", "9" * 30, "9" * 5000, "x", "%00", "%ff", "%ED%A0%80", "²",
    "%D9%A1", "[]", "{}", "null", "true", "TRUE", "+1", "%2B1", "%20", "1&{name}=2", "a%0Ab",
    "2026-01-01", "2026-13-45T99:99:99Z", "0001-01-01T00:00:00%2B14:00", "%22%3E%3Cscript%3E",
    "9999-12-31T23:59:59-14:00", "us-east-1.evil.example%2F", "us-east-1%00", "..%2f..%2f",
    "cD0yMDI2LTEzLTQ1", "bz0tMQ%3D%3D", "cD0lMDA%3D", "bz05OTk5OTk5OTk5OTk5OTk5OTk5OQ%3D%3D", "%",
]  # fmt: skip
INVALID_IDS = [
    "0", "-1", "x", "%00", "%ff", "%0A", "%2e%2e", "..%2f..", "null", "undefined", "9" * 300, "%20",
    "00000000-0000-0000-0000-00000000000", "{00000000-0000-4000-8000-000000000000}", "%F0%9F%98%80",
    "00000000000040008000000000000000", "00000000-0000-4000-8000-00000000000%D9%A1", "a" * 5000,
    "'%20OR%201=1", "*", "%7B%7B7*7%7D%7D", "%E2%80%AE",
]  # fmt: skip
INVALID_HEADERS = [
    {"Accept": ""}, {"Accept": ";;;"}, {"Accept": "*/*;q=x"}, {"Accept": "image/png"},
    {"Accept": "application/json;q=0"}, {"Accept": "x/" * 2000}, {"Accept": "application/json, \0"},
    {"Prefer": "wait=, respond-async"}, {"Prefer": "respond-async, wait=99999999999999999999"},
    {"Prefer": "respond-async; foo=\"bar"}, {"Prefer": "," * 2000 + "respond-async"},
    {"Host": "evil.example"}, {"Host": ""}, {"Host": "localhost:0x50"}, {"Host": "a@localhost"},
    {"Content-Length": "-1"}, {"Content-Length": "x"}, {"Content-Length": "99999999999999999999"},
    {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://["},
    {"Referer": "http://["}, {"X-Forwarded-For": "evil, \0, ::"}, {"X-Forwarded-Host": "evil"},
    {"X-Forwarded-Proto": "gopher"}, {"X-HTTP-Method-Override": "DELETE"}, {"Range": "bytes=-0"},
    {"If-Match": "*"}, {"If-None-Match": "W/"}, {"If-Modified-Since": "never"}, {"Cookie": "=;=,"},
    {"Cookie": "sessionid=\0; csrftoken=" + "x" * 5000}, {"Content-Encoding": "gzip"},
    {"X-Spot-Optimizer-Secret": "é\0"}, {"Accept-Language": "x," * 900}, {"X-CSRFToken": "\0"},
    {"Access-Control-Request-Method": "DELETE", "Origin": "https://evil.example"},
]  # fmt: skip


class Operation(NamedTuple):
    method: str
    path: str
    definition: dict[str, Any]  # the OpenAPI operation object
    body: dict[str, Any] | None  # its JSON schema, references resolved

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def queries(self) -> list[str]:
        return [
            each["name"] for each in self.definition.get("parameters", []) if each["in"] == "query"
        ]

    @property
    def ids(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)

    @property
    def waits(self) -> bool:
        """Whether its view is async: it lets go of the connection, so nothing may be open on it."""
        return iscoroutinefunction(resolve(self.url()).func)

    @property
    def is_open(self) -> bool:
        return {} in self.definition.get("security", [])

    def url(self, **ids: object) -> str:
        return self.path.format(**dict.fromkeys(self.ids, FORMATS["uuid"]) | ids)


def load_schema() -> dict[str, Any]:
    return Client(headers={"Host": "localhost"}).get("/api/schema?format=json").json()


def operations(schema: dict[str, Any]) -> list[Operation]:
    return [
        Operation(method.upper(), path, definition, _body_of(definition, schema))
        for path, methods in schema["paths"].items()
        for method, definition in methods.items()
    ]


def _body_of(definition: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any] | None:
    content = definition.get("requestBody", {}).get("content", {})
    return resolved(content[JSON]["schema"], schema) if JSON in content else None


def resolved(part: Any, schema: dict[str, Any]) -> Any:
    if isinstance(part, list):
        return [resolved(each, schema) for each in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return resolved(schema["components"]["schemas"][part["$ref"].rsplit("/", 1)[1]], schema)
    return {name: resolved(each, schema) for name, each in part.items()}


def addresses() -> list[str]:
    """Return every address of the project but Django admin's, as the schema writes them."""
    return sorted(_patterns(get_resolver(), ""))


def _patterns(resolver: URLResolver, before: str) -> set[str]:
    found = set()
    for each in resolver.url_patterns:
        path = before + str(each.pattern)
        if isinstance(each, URLPattern):
            found.add("/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path))
        elif not path.startswith("admin/"):
            found |= _patterns(each, path)
    return found


def good(part: dict[str, Any], name: str = "") -> Any:
    """Return a value that the schema allows."""
    if name in GOOD:
        return GOOD[name]
    for way in ("allOf", "oneOf", "anyOf"):
        if way in part:
            return good(part[way][0], name)
    if "enum" in part:
        return part["enum"][0]
    if "properties" in part:
        return {each: good(inner, each) for each, inner in part["properties"].items()}
    kinds = part.get("type", "string")
    return FORMATS.get(
        part.get("format", ""), OF_TYPE.get(kinds if isinstance(kinds, str) else kinds[0])
    )


def invalid_bodies(body: dict[str, Any]) -> list[bytes]:
    """Return bodies that are wrong in one place: each field missing, and of every kind."""
    whole = good(body)
    texts = [json.dumps(each).encode() for each in _spoiled(whole)]
    twice = [f'{{"{name}": "a", {json.dumps(whole)[1:]}'.encode() for name in whole]
    unreal = [
        json.dumps({**whole, name: 0})
        .encode()
        .replace(b'"%b": 0' % name.encode(), b'"%b": %b' % (name.encode(), text))
        for name in whole
        for text in (b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b"[" * 70 + b"]" * 70)
    ]
    return [*texts, *twice, *unreal, json.dumps(whole).encode()[:-1], *RAW_BODIES]


def _spoiled(whole: dict[str, Any]) -> list[Any]:
    bodies: list[Any] = [
        whole | {"surprise": 1, "role": "admin", "is_staff": True, "id": str(uuid4())}
    ]
    for name, value in whole.items():
        bodies.append({each: whole[each] for each in whole if each != name})
        bodies += [whole | {name: strange} for strange in INVALID_VALUES]
        if isinstance(value, dict):
            bodies += [whole | {name: inner} for inner in _spoiled(value)]
    return bodies


def send(
    client: Client,
    operation: Operation,
    url: str,
    body: bytes = b"{}",
    kind: str = JSON,
    **headers: str,
) -> Any:
    """Send it; what it changed, where it is accepted, is undone."""
    headers = {"Prefer": "respond-async"} | headers
    with nullcontext() if operation.waits else transaction.atomic():
        answer = client.generic(operation.method, url, body, content_type=kind, headers=headers)
        if not operation.waits:
            transaction.set_rollback(answer.status_code < 400)
    STATUS_COUNTS[answer.status_code] += 1
    return answer


def assert_documented_error(answer: Any, codes: set[str], what: object = "") -> None:
    """Whatever it was: no fault of ours, and if it is a refusal, one as the contract has it."""
    assert answer.status_code < 500, (what, answer.content)
    if answer.status_code < 400 or answer["Content-Type"].startswith("text/html"):
        return
    error = json.loads(answer.content)
    assert answer["Content-Type"] in (JSON, "application/x-ndjson"), what
    assert set(error) <= ERROR_FIELDS, (what, error)
    assert {"detail", "code"} <= set(error), (what, error)
    assert error["detail"].endswith((".", "…}.")), (what, error)
    assert error["code"] in codes, (what, error)
    assert ("errors" in error) <= (answer.status_code == 400), (what, error)


def ids_of(user: User, **fields: Any) -> dict[str, Any]:
    """Give the user one of each, and return their ids by the names that addresses give them."""
    session = a_session(user=user, **fields)
    return {
        "session_id": session.pk,
        "evaluation_id": an_evaluation(session).pk,
        "instance_id": session.instance_id,
        "user_id": user.pk,
    }


def database_fingerprint() -> str:
    """Return a fingerprint of every row of every table."""
    found = sha256()
    with connection.cursor() as cursor:
        for table in sorted(connection.introspection.table_names(cursor)):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608  # the database's own names
            found.update(repr((table, sorted(map(repr, cursor.fetchall())))).encode())
    return found.hexdigest()
