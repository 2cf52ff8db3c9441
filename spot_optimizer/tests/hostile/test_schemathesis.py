"""
Schemathesis over the whole schema, signed in as each role and not, against a live server.

The seed is fixed. ``HOSTILE_EXAMPLES=200`` sends more of everything, for a nightly run.
"""

import os

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import GenerationMode

from accounts.testing import a_user, signed_in
from lab.models import ModelRegistry
from spot_optimizer.tests.hostile.table import FORMATS, TRIED, ids_of, the_schema
from spot_optimizer.tests.test_server import RunningServer

EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "6"))
CONFIG = schemathesis.Config.from_dict(
    {
        "generation": {"max-examples": EXAMPLES, "deterministic": True, "no-shrink": True},
        # Off: no schema can say that a password is weak or wrong, a cursor none of ours, a name
        # is taken or a moment is too early; what is refused so is a 400 of well-formed fields.
        "checks": {"positive_data_acceptance": {"enabled": False}},
    }
)
SCHEMA = schemathesis.openapi.from_dict(the_schema(), config=CONFIG)
UNHURRIED = {
    f"THROTTLE_{name}": "1000000/min" for name in ("LOGIN", "LOGIN_ADDRESS", "REGISTER", "API")
}
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def server(django_db_setup):
    server = RunningServer(
        LOG_LEVEL="ERROR", SANDBOX_MAX_ACTIVE_SESSIONS="100000", **UNHURRIED
    ).wait()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        said = server.stop()
    assert "Traceback" not in said, said[-4000:]


@pytest.fixture
def ids(transactional_db):
    found = ids_of(a_user())
    model = ModelRegistry.objects.first()
    return found | {"model_id": model.pk if model else FORMATS["uuid"]}


@pytest.fixture(params=["nobody", "user", "lab", "admin"])
def headers(request, transactional_db):
    if request.param == "nobody":
        return {}
    client = signed_in(a_user(request.param))
    return {"Authorization": client._credentials["HTTP_AUTHORIZATION"]}


@SCHEMA.parametrize()
@settings(suppress_health_check=list(HealthCheck), deadline=None)  # one sign-in for all examples
def test_every_answer_is_as_the_schema_says(case, server, headers, ids):
    case.headers["Prefer"] = "respond-async"  # there is no worker that would settle it
    if case.meta.generation.mode is GenerationMode.POSITIVE:
        case.path_parameters |= {
            name: str(ids[name]) for name in case.path_parameters if name in ids
        }
    with requests.Session() as session:
        answer = case.call_and_validate(base_url=server, session=session, headers=headers)
    TRIED[answer.status_code] += 1
