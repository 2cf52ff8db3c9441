"""Every endpoint, method, field and parameter against what somebody hostile would send."""

import gzip
import json
import re

import pytest
from django.test import Client

from accounts.testing import a_user, signed_in
from spot_optimizer.tests.hostile.table import (
    METHODS,
    STRANGE_HEADERS,
    STRANGE_IDS,
    STRANGE_KINDS,
    STRANGE_QUERY,
    addresses,
    assert_well_refused,
    everything_stored,
    good,
    ids_of,
    operations,
    send,
    strange_bodies,
    the_schema,
)

pytestmark = pytest.mark.django_db
# Not in the schema: for people, for probes, and the schema itself.
PAGES = {"/api/schema", "/docs", "/health", "/health/live", "/health/ready", "/", "/metrics"}


@pytest.fixture(autouse=True)
def unhurried(settings):
    for name in ("THROTTLE_LOGIN", "THROTTLE_LOGIN_ADDRESS"):
        setattr(settings, name, "1000000/min")


@pytest.fixture(scope="module")
def schema():
    return the_schema()


@pytest.fixture(scope="module")
def codes(schema):
    """The codes that the schema documents."""
    told = schema["components"]["schemas"]["Error"]["properties"]["code"]["description"]
    return set(re.findall(r"`(\w+)`", told))


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
            for each in operations(the_schema())  # which needs no database
        ]
        metafunc.parametrize("operation", found, ids=lambda each: str(each))


def test_the_schema_has_every_address(schema):
    known = {path for path in addresses() if not path.startswith("/api/session/")}

    assert known - PAGES == set(schema["paths"])


@pytest.fixture
def nothing_changes(own, client):
    before = everything_stored()
    yield
    assert everything_stored() == before


@pytest.mark.usefixtures("nothing_changes")
class TestWhatIsSent:
    def test_as_a_body(self, operation, client, own, codes):
        for body in strange_bodies(operation.body or {"properties": {}}):
            answer = send(client, operation, operation.url(**own), body)

            assert_well_refused(answer, codes, (str(operation), body[:300]))

    def test_as_another_kind_of_body(self, operation, client, own, codes):
        whole = json.dumps(good(operation.body or {"properties": {}})).encode()
        for body in (whole, gzip.compress(whole)):
            for kind in STRANGE_KINDS:
                answer = send(client, operation, operation.url(**own), body, kind)

                assert_well_refused(answer, codes, (str(operation), kind))

    def test_as_a_query(self, operation, client, own, codes):
        for name in {*operation.queries, "format", "surprise"}:
            for text in STRANGE_QUERY:
                url = f"{operation.url(**own)}?{name}={text.replace('{name}', name)}"

                assert_well_refused(send(client, operation, url), codes, (str(operation), url))

    def test_as_an_id(self, operation, client, own, codes):
        for name in operation.ids:
            for text in STRANGE_IDS:
                url = operation.url(**own | {name: text})
                answer = send(client, operation, url)

                assert answer.status_code == 404, (str(operation), url)
                assert_well_refused(answer, codes, (str(operation), url))

    def test_as_a_header(self, operation, client, own, codes):
        for headers in STRANGE_HEADERS:
            answer = send(client, operation, operation.url(**own), **headers)

            assert_well_refused(answer, codes, (str(operation), headers))

    def test_by_another_method(self, operation, client, own, codes, schema):
        taken = {method.upper() for method in schema["paths"][operation.path]}
        for method in set(METHODS) - taken - {"HEAD", "OPTIONS"}:
            answer = send(client, operation._replace(method=method), operation.url(**own))

            assert answer.status_code == 405, (str(operation), method)
            assert_well_refused(answer, codes, (str(operation), method))
            assert set(answer["Allow"].split(", ")) >= taken

    def test_by_somebody_who_is_not_signed_in(self, operation, own, codes):
        for body in strange_bodies(operation.body or {"properties": {}})[::41]:
            answer = send(Client(), operation, operation.url(**own), body)

            assert_well_refused(answer, codes, (str(operation), body[:300]))
            if not operation.is_open:
                assert answer.status_code == 401, str(operation)
                assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", sorted(PAGES - {"/", "/metrics"} | {"/api/session/login/", "/x"}))
def test_pages_break_at_nothing(path, client, codes):
    before = everything_stored()
    for method in METHODS:
        for text in STRANGE_QUERY[::3]:
            answer = client.generic(method, f"{path}?format={text}&lang={text}&next=//evil/{text}")

            assert answer.status_code < 500, (path, method, text)
            assert "evil" not in answer.get("Location", "")
    assert everything_stored() == before
