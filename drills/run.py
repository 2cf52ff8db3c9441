"""One drill: load, a fault, recovery, and the comparison with the stored rows."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import Self

from drills.environment import Environment
from drills.load import ENDED, Seen, User, Watcher
from drills.outcome import Outcome
from spot_optimizer.tests.quickstart import until

Fault = Callable[[Environment], None]
RECOVER_WITHIN = 240  # [s] a lease, the sweep after it, and a reserve
_numbers = count(1)

logging.getLogger("urllib3").setLevel(logging.ERROR)  # full connection pools are expected here


class Load:
    """Users who evaluate repeatedly, and two watchers for each, one at each web process."""

    def __init__(self, environment: Environment, users: int = 3) -> None:
        self.environment = environment
        webs, number = environment.platform.webs, next(_numbers)
        self.users = [
            User(
                f"user{number}x{index}",
                webs,
                environment.instances[index % len(environment.instances)],
            )
            for index in range(users)
        ]
        self.watchers = [
            Watcher(user.session["session_id"], order)
            for user in self.users
            for order in (webs, webs[::-1])
        ]

    def __enter__(self) -> Self:
        for thread in (*self.watchers, *self.users):
            thread.start()
        self.wait_for_decisions(since=0.0)
        return self

    def __exit__(self, *_: object) -> None:
        for thread in (*self.users, *self.watchers):
            thread.over.set()

    def wait_for_decisions(self, *, since: float) -> None:
        """Wait until each user has a decision requested after ``since``."""
        until(
            lambda: all(user.has_decided_since(since) for user in self.users),
            seconds=RECOVER_WITHIN,
            what="a decision for each user",
        )

    def end(self) -> bool:
        """Stop the users; end all sessions once no evaluation is pending. False on time-out."""
        for user in self.users:
            user.over.set()
        for user in self.users:
            user.join()
        has_settled = self._has_settled()
        for user in self.users:
            user.webs[0].request("DELETE", user.own, token=user.token)
        for watcher in self.watchers:
            watcher.join(timeout=60)
        return has_settled

    def _has_settled(self) -> bool:
        with suppress(AssertionError):
            until(lambda: not self.pending(), seconds=RECOVER_WITHIN)
            return True
        return False

    def pending(self) -> int:
        evaluations = [evaluation for user in self.users for evaluation in user.evaluations()]
        return sum(evaluation["state"] == "pending" for evaluation in evaluations)


def warm_up(environment: Environment) -> None:
    """Run a first evaluation: it fetches the whole region, which takes longest."""
    with Load(environment) as load:
        load.end()


def drill(environment: Environment, name: str, fault: Fault, *, users: int = 3) -> Outcome:
    """Fault a platform under load, wait until it has recovered, and count what it cost."""
    outcome = Outcome(name)
    with Load(environment, users) as load:
        began = time.monotonic()
        fault(environment)
        fault_ended = time.monotonic()
        try:
            load.wait_for_decisions(since=fault_ended)
        except AssertionError:
            outcome.notes.append("It did not recover by itself")
        recovered = time.monotonic()
        outcome.recovered_in = recovered - fault_ended
        outcome.notes += environment.restart_exited()
        load.end()
        outcome.settled_in = time.monotonic() - fault_ended
        _count(outcome, load, began, recovered)
    return outcome


def _count(outcome: Outcome, load: Load, began: float, recovered: float) -> None:
    outcome.unsettled = load.pending()
    for user in load.users:
        outcome.answers += _between(user.seen, began, recovered)
        waits = [each.at - each.requested_at for each in user.seen if began <= each.at <= recovered]
        outcome.slowest_answer = max([outcome.slowest_answer, *waits])
    for watcher in load.watchers:
        outcome.closes += _between(watcher.closes, began, recovered)
        outcome.latest_line = max([outcome.latest_line, *_lateness(watcher, began, recovered)])
    _compare_lines(outcome, load)
    ids = [user.session["session_id"] for user in load.users]
    [(outcome.orphans,)] = load.environment.postgres.rows(
        "SELECT count(*) FROM sandbox_sandboxsession WHERE id = ANY(%s)"
        " AND (state <> 'ended' OR sealed_credentials IS NOT NULL)",
        ids,
    )
    ended = load.environment.postgres.rows(
        "SELECT coalesce(error->>'code', state), count(*),"
        " max(extract(epoch FROM settled_at - created_at))::int"
        " FROM sandbox_evaluation WHERE session_id = ANY(%s) GROUP BY 1",
        ids,
    )
    for how, number, seconds in ended:
        outcome.ends[f"{how} (within {seconds} s)"] = number


def _between(seen: Sequence[Seen], began: float, recovered: float) -> Counter[str]:
    return Counter(each.what for each in seen if began <= each.at <= recovered)


def _lateness(watcher: Watcher, began: float, recovered: float) -> list[float]:
    return [late for at, late in watcher.arrivals if began <= at <= recovered]


def _compare_lines(outcome: Outcome, load: Load) -> None:
    """Compare the lines each watcher received with the stored ones: each once, in order."""
    stored = {user.session["session_id"]: user.lines() for user in load.users}
    for watcher in load.watchers:
        seen = [line["seq"] for line in watcher.lines]
        wanted = [line["seq"] for line in stored[watcher.session_id]]
        outcome.lost += len(set(wanted) - set(seen))
        outcome.duplicated += len(seen) - len(set(seen))
        outcome.out_of_order += seen != sorted(seen)
        if not watcher.closes or watcher.closes[-1].what != str(ENDED):
            outcome.notes.append("a watcher did not receive the end")
    for lines in stored.values():
        decided = [
            line["evaluation"]["evaluation_id"] for line in lines if line["type"] == "decision"
        ]
        outcome.duplicated += len(decided) - len(set(decided))
