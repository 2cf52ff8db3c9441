"""Every endpoint, method, field and parameter against what somebody hostile would send."""

import gzip
import json
import re
from urllib.parse import urlsplit

import pytest
from django.test import Client

from accounts.testing import a_user, signed_in
from spot_optimizer.tests.hostile.inputs import (
    FORMATS,
    INVALID_HEADERS,
    INVALID_IDS,
    INVALID_KINDS,
    INVALID_QUERY,
    METHODS,
    addresses,
    assert_documented_error,
    database_fingerprint,
    good,
    ids_of,
    invalid_bodies,
    load_schema,
    operations,
    send,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def without_rate_limits(settings):
    for name in ("THROTTLE_LOGIN", "THROTTLE_LOGIN_ADDRESS"):
        setattr(settings, name, "1000000/min")


@pytest.fixture(scope="module")
def schema():
    return load_schema()


@pytest.fixture(scope="module")
def codes(schema):
    """The codes that the schema documents."""
    description = schema["components"]["schemas"]["Error"]["properties"]["code"]["description"]
    return set(re.findall(r"`(\w+)`", description))


@pytest.fixture
def admin():
    return a_user("admin")


@pytest.fixture
def client(admin):
    """Whoever may do most sees most of the code."""
    client = signed_in(admin)
    client.raise_request_exception = False
    return client


@pytest.fixture
def own(admin):
    """Ids of what the client has, by the name that the addresses give them."""
    return ids_of(admin)


def pytest_generate_tests(metafunc):
    if "operation" in metafunc.fixturenames:
        found = [
            pytest.param(each, marks=pytest.mark.django_db(transaction=each.waits))
            for each in operations(load_schema())  # which needs no database
        ]
        metafunc.parametrize("operation", found, ids=lambda each: str(each))


def is_of_the_api(path):
    return path.startswith("/api/v1/")


def test_the_schema_has_every_address_of_the_api(schema):
    assert set(filter(is_of_the_api, addresses())) == set(filter(is_of_the_api, schema["paths"]))


@pytest.fixture
def nothing_changes(own, client):
    before = database_fingerprint()
    yield
    assert database_fingerprint() == before


@pytest.mark.usefixtures("nothing_changes")
class TestWhatIsSent:
    def test_as_a_body(self, operation, client, own, codes):
        for body in invalid_bodies(operation.body or {"properties": {}}):
            answer = send(client, operation, operation.url(**own), body)

            assert_documented_error(answer, codes, (str(operation), body[:300]))

    def test_as_another_kind_of_body(self, operation, client, own, codes):
        whole = json.dumps(good(operation.body or {"properties": {}})).encode()
        for body in (whole, gzip.compress(whole)):
            for kind in INVALID_KINDS:
                answer = send(client, operation, operation.url(**own), body, kind)

                assert_documented_error(answer, codes, (str(operation), kind))

    def test_as_a_query(self, operation, client, own, codes):
        for name in {*operation.queries, "format", "surprise"}:
            for text in INVALID_QUERY:
                url = f"{operation.url(**own)}?{name}={text.replace('{name}', name)}"

                assert_documented_error(send(client, operation, url), codes, (str(operation), url))

    def test_as_an_id(self, operation, client, own, codes):
        for name in operation.ids:
            for text in INVALID_IDS:
                url = operation.url(**own | {name: text})
                answer = send(client, operation, url)

                assert answer.status_code == 404, (str(operation), url)
                assert_documented_error(answer, codes, (str(operation), url))

    def test_as_a_header(self, operation, client, own, codes):
        for headers in INVALID_HEADERS:
            answer = send(client, operation, operation.url(**own), **headers)

            assert_documented_error(answer, codes, (str(operation), headers))

    def test_by_another_method(self, operation, client, own, codes, schema):
        allowed = {method.upper() for method in schema["paths"][operation.path]}
        for method in set(METHODS) - allowed - {"HEAD", "OPTIONS"}:
            answer = send(client, operation._replace(method=method), operation.url(**own))

            assert answer.status_code == 405, (str(operation), method)
            assert_documented_error(answer, codes, (str(operation), method))
            assert set(answer["Allow"].split(", ")) >= allowed

    def test_by_somebody_who_is_not_signed_in(self, operation, own, codes):
        for body in invalid_bodies(operation.body or {"properties": {}})[::41]:
            answer = send(Client(), operation, operation.url(**own), body)

            assert_documented_error(answer, codes, (str(operation), body[:300]))
            if not operation.is_open:
                assert answer.status_code == 401, str(operation)
                assert answer["WWW-Authenticate"] == "Bearer"


IDS_OF_NO_KIND = [7, 0, 1.5, True, [], {}, "x", "", "1" * 32, "urn:uuid:" + FORMATS["uuid"]]


def test_an_id_in_a_body_is_a_uuid_or_the_body_is_wrong(operation, client, own, codes):
    whole = good(operation.body or {"properties": {}})
    fields = (operation.body or {"properties": {}})["properties"]
    for name in [name for name in fields if fields[name].get("format") == "uuid"]:
        for wrong in IDS_OF_NO_KIND:
            body = json.dumps(whole | {name: wrong}).encode()
            answer = send(client, operation, operation.url(**own), body)

            assert (answer.status_code, list(answer.json()["errors"])) == (400, [name]), wrong


PAGES = [path for path in addresses() if not is_of_the_api(path)]


@pytest.mark.parametrize("path", [*PAGES, "/x"])
def test_pages_break_at_nothing(path, client):
    url = re.sub(r"{\w+}", FORMATS["uuid"], path)
    before = database_fingerprint()
    for method in METHODS:
        for text in INVALID_QUERY[::5]:
            query = f"format={text}&lang={text}&after={text}&cursor={text}&next=//evil/{text}"
            answer = client.generic(method, f"{url}?{query}")

            assert answer.status_code < 500, (path, method, text)
            assert not urlsplit(answer.get("Location", "")).netloc, (path, method, text)
    assert database_fingerprint() == before
