"""The OpenAPI schema is valid, and responses conform to it."""

import re

import jsonschema
import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient, Client
from django.utils import timezone
from openapi_spec_validator import validate

from accounts.testing import PASSWORD, a_user, signed_in
from sandbox.evaluation import jobs as evaluations
from sandbox.testing import a_session, an_emulated_session, an_evaluation

pytestmark = pytest.mark.django_db
ONE = "/api/v1/sandbox/sessions/{session_id}"


@pytest.fixture(scope="module")
def schema():
    return Client().get("/api/schema?format=json").json()


def assert_matches_schema(schema, answer, path, method="get"):
    """Check status, media type and body of a response against the schema."""
    data = schema["paths"][path][method]["responses"]
    assert str(answer.status_code) in data
    media_type = answer["Content-Type"].split(";")[0]
    body = data[str(answer.status_code)]["content"][media_type]["schema"]
    # Additional properties are disallowed, to find fields that the schema lacks.
    jsonschema.validate(answer.json(), closed(schema, body), cls=jsonschema.Draft202012Validator)


def closed(schema, body):
    parts = {
        name: part | {"additionalProperties": False} if "properties" in part else part
        for name, part in schema["components"]["schemas"].items()
    }
    return body | {"components": {"schemas": parts}}


def operations(schema):
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_is_valid(schema):
    validate(schema)


def test_gives_every_operation_a_summary_and_the_error_schema(schema):
    for path, method, operation in operations(schema):
        where, data = f"{method} {path}", operation["responses"]
        refusals = {status: data[status] for status in data if status >= "400"}
        assert operation["summary"], where
        assert {"405", "406", "429", "503"} <= set(refusals), where
        assert ("requestBody" in operation) <= ({"400", "413", "415"} <= set(refusals)), where
        assert "{" not in path or "404" in refusals, where
        for refusal in refusals.values():
            body = refusal["content"]["application/json"]["schema"]
            assert body == {"$ref": "#/components/schemas/Error"}, where


def test_documents_401_wherever_a_token_is_required(schema):
    for path, method, operation in operations(schema):
        url = re.sub("{.*?}", "00000000-0000-4000-8000-000000000000", path)
        answer = Client().generic(method.upper(), url, "{}", content_type="application/json")
        assert (answer.status_code != 401) or "401" in operation["responses"], (method, path)


def test_describes_how_to_wait(schema):
    operation = schema["paths"][f"{ONE}/evaluate"]["post"]
    [prefer] = [each for each in operation["parameters"] if each["name"] == "Prefer"]

    assert {"200", "202", "409", "502", "504"} <= set(operation["responses"])
    assert "wait=n" in prefer["description"]
    assert "respond-async" in prefer["description"]


def test_is_true_of_accounts(schema):
    body = {"email": "a@example.com", "username": "a", "password": PASSWORD}
    register = "/api/v1/auth/register"
    user = signed_in(a_user())

    made = user.post(register, body, format="json")
    again = user.post(register, body, format="json")

    assert (made.status_code, again.status_code) == (201, 400)
    for answer in (made, again):
        assert_matches_schema(schema, answer, register, "post")
    for path in ("/api/v1/auth/profile", "/api/v1/auth/verify"):
        assert_matches_schema(schema, user.get(path), path)
    assert_matches_schema(schema, Client().get(path), path)


def test_is_true_of_sessions(schema):
    session = a_session()
    client, url = signed_in(session.user), f"/api/v1/sandbox/sessions/{session.pk}"

    for part in ("", "/logs", "/actions", "/evaluations", "/iam-policy"):
        assert_matches_schema(schema, client.get(url + part), ONE + part)
    listed = client.get("/api/v1/sandbox/sessions")
    assert_matches_schema(schema, listed, "/api/v1/sandbox/sessions")
    assert_matches_schema(schema, client.delete(url), ONE, "delete")
    assert_matches_schema(schema, client.get(url), ONE)
    assert_matches_schema(schema, signed_in(a_user()).get(url), ONE)


def test_is_true_of_decisions_and_the_market(schema, market):
    session = an_emulated_session(market)
    evaluation = an_evaluation(session)
    evaluations.evaluate(evaluation_id=evaluation.pk, now=timezone.now())
    client, url = signed_in(session.user), f"/api/v1/sandbox/sessions/{session.pk}"

    one = client.get(f"{url}/evaluations/{evaluation.pk}")
    assert one.json()["state"] == "decided"
    assert_matches_schema(schema, one, f"{ONE}/evaluations/{{evaluation_id}}")
    for part in ("/logs", "/evaluations"):
        assert_matches_schema(schema, client.get(url + part), ONE + part)
    query = {"region": session.aws_region, "instance_type": session.instance_type}
    for path in ("/api/v1/market/pools", "/api/v1/market/history"):
        answer = client.get(path, query)
        assert answer.json()["results"]
        assert_matches_schema(schema, answer, path)
        assert_matches_schema(schema, client.get(path, {"region": "zz-nowhere-1"} | query), path)
        assert_matches_schema(schema, client.get(path), path)


def test_is_true_of_an_evaluation_that_failed(schema, aws):
    session = a_session()
    evaluation = an_evaluation(session)
    evaluations.evaluate(evaluation_id=evaluation.pk, now=timezone.now())
    client, url = signed_in(session.user), f"/api/v1/sandbox/sessions/{session.pk}"

    answer = client.get(f"{url}/evaluations/{evaluation.pk}")

    assert answer.json()["error"]["code"].startswith("aws_")
    assert_matches_schema(schema, answer, f"{ONE}/evaluations/{{evaluation_id}}")


@pytest.mark.django_db(transaction=True)
async def test_matches_a_pending_evaluation(schema, aws):
    session = await sync_to_async(a_session)()
    token = (await sync_to_async(signed_in)(session.user))._credentials["HTTP_AUTHORIZATION"]
    headers = {"Authorization": token, "Prefer": "respond-async"}

    answer = await AsyncClient().post(
        f"/api/v1/sandbox/sessions/{session.pk}/evaluate",
        "{}",
        content_type="application/json",
        headers=headers,
    )

    assert answer.status_code == 202
    assert_matches_schema(schema, answer, f"{ONE}/evaluate", "post")
