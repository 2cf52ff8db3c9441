"""The quick drills: real processes, servers of their own, and something that breaks under load."""

import pytest

from drills.outcome import table
from drills.run import drill, warm_up
from drills.servers import programs
from drills.stand import Stand
from drills.strikes import STRIKES
from spot_optimizer.tests.processes import needs_services

pytestmark = [
    needs_services,  # a drill has its own, but where those are, a drill may take its time
    pytest.mark.skipif(programs() is None, reason="needs Debian's postgresql and redis-server"),
]
LEASE = 120  # [s] of a run; who recovers earlier did not have to wait for a dead one's
QUICK = (
    "Redis killed, restarted empty",
    "PostgreSQL stopped immediately, restarted",
    "a web killed",
)


@pytest.fixture(scope="module")
def stand():
    with Stand() as stand:
        warm_up(stand)
        yield stand


@pytest.mark.parametrize("name", QUICK)
def test_nothing_is_lost_and_all_comes_back_by_itself(stand, name):
    outcome = drill(stand, name, STRIKES[name], users=2)

    assert outcome.is_clean, table([outcome])
    assert outcome.notes == []
    assert outcome.recovered_in < LEASE
    assert not [what for what in outcome.answers if what.startswith("500") or ", not" in what]
