"""
Schemathesis over the whole schema, signed in and not, against a live server.

The seed is fixed. ``HOSTILE_EXAMPLES=200``, for a nightly run, tries every role and sends more.
"""

import os
import threading

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import GenerationMode

from accounts.testing import a_user, signed_in
from lab.models import ModelRegistry
from spot_optimizer.tests.hostile.inputs import FORMATS, STATUS_COUNTS, ids_of, load_schema
from spot_optimizer.tests.test_server import RunningServer

# By day only who may least and who may most: a run of one takes a minute of a core.
ROLES = ["nobody", "admin"] + (["user", "lab"] if "HOSTILE_EXAMPLES" in os.environ else [])
EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "6"))
CONFIG = schemathesis.Config.from_dict(
    {
        "generation": {"max-examples": EXAMPLES, "deterministic": True, "no-shrink": True},
        # Off: no schema can say that a password is weak or wrong, a cursor none of ours, a name
        # is taken or a moment is too early; what is refused so is a 400 of well-formed fields.
        "checks": {"positive_data_acceptance": {"enabled": False}},
    }
)
SCHEMA = schemathesis.openapi.from_dict(load_schema(), config=CONFIG)
NO_RATE_LIMITS = {
    f"THROTTLE_{name}": "1000000/min" for name in ("LOGIN", "LOGIN_ADDRESS", "REGISTER", "API")
}
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def server(django_db_setup):
    server = RunningServer(
        LOG_LEVEL="ERROR", SANDBOX_MAX_ACTIVE_SESSIONS="100000", **NO_RATE_LIMITS
    ).wait()
    output = []
    # Read all along: a full pipe would stop the server.
    reading = threading.Thread(target=lambda: output.extend(server.process.stderr))
    reading.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        with server.process:
            server.process.terminate()
            reading.join()
    assert "Traceback" not in "".join(output), output[-50:]


@pytest.fixture(params=ROLES)
def user(request, transactional_db):
    return None if request.param == "nobody" else a_user(request.param)


@pytest.fixture
def headers(user):
    return {"Authorization": signed_in(user)._credentials["HTTP_AUTHORIZATION"]} if user else {}


@pytest.fixture
def session():
    """The connection that all examples of a test use."""
    with requests.Session() as session:
        yield session


@pytest.fixture
def ids(user, transactional_db):
    model = ModelRegistry.objects.first()
    found = {"model_id": model.pk if model else FORMATS["uuid"], "user_id": a_user().pk}
    return ids_of(user or a_user()) | found


@SCHEMA.parametrize()
@settings(suppress_health_check=list(HealthCheck), deadline=None)  # one sign-in for all examples
def test_every_response_matches_the_schema(case, server, session, headers, ids):
    case.headers["Prefer"] = "respond-async"  # there is no worker that would settle it
    if case.meta.generation.mode is GenerationMode.POSITIVE:
        case.path_parameters |= {
            name: str(ids[name]) for name in case.path_parameters if name in ids
        }
    answer = case.call_and_validate(base_url=server, session=session, headers=headers)
    session.cookies.clear()
    STATUS_COUNTS[answer.status_code] += 1
