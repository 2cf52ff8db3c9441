"""The quick drills: real processes and own servers, with a fault under load."""

import pytest

from drills.environment import Environment
from drills.faults import FAULTS
from drills.outcome import table
from drills.run import drill, warm_up
from drills.servers import programs
from spot_optimizer.tests.processes import needs_services

pytestmark = [
    needs_services,  # without configured services, slow tests are skipped
    pytest.mark.skipif(programs() is None, reason="needs Debian's postgresql and redis-server"),
]
LEASE = 120  # [s] of an evaluation: a faster recovery did not wait for a lease to expire
QUICK = (
    "Redis killed, restarted empty",
    "PostgreSQL stopped immediately, restarted",
    "a web killed",
)


@pytest.fixture(scope="module")
def environment():
    with Environment() as environment:
        warm_up(environment)
        yield environment


@pytest.mark.parametrize("name", QUICK)
def test_loses_nothing_and_recovers_by_itself(environment, name):
    outcome = drill(environment, name, FAULTS[name], users=2)

    assert outcome.is_clean, table([outcome])
    assert outcome.notes == []
    assert outcome.recovered_in < LEASE
    assert not [
        what for what in outcome.answers if what.startswith("500") or "without Retry-After" in what
    ]
