"""What breaks. Each strike returns when its cause is over: from then on recovery is counted."""

import time
from collections.abc import Callable
from typing import Any

from drills.stand import Stand

AWAY = 5  # [s]


def nothing(stand: Stand) -> None:
    time.sleep(AWAY)


def redis_killed(stand: Stand) -> None:
    with_jobs_running(stand)
    stand.redis.kill()
    time.sleep(AWAY)
    stand.redis.start()


def redis_hangs(stand: Stand) -> None:
    with_jobs_running(stand)
    stand.redis.freeze()
    time.sleep(2 * AWAY)
    stand.redis.thaw()


def postgres_restarted_fast(stand: Stand) -> None:
    stand.postgres.stop_fast()
    time.sleep(AWAY)
    stand.postgres.start()


def postgres_restarted_immediately(stand: Stand) -> None:
    with_jobs_running(stand)
    stand.postgres.stop_immediately()
    time.sleep(AWAY)
    stand.postgres.start()


def worker_killed(stand: Stand) -> None:
    with_jobs_running(stand)
    worker = stand.platform.workers[0]
    worker.kill()
    worker.start()


def both_workers_killed(stand: Stand) -> None:
    with_jobs_running(stand)
    for worker in stand.platform.workers:
        worker.kill()
    for worker in stand.platform.workers:
        worker.start()


def beat_killed(stand: Stand) -> None:
    stand.platform.beat.kill()
    time.sleep(AWAY)
    stand.platform.beat.start()


def two_beats(stand: Stand) -> None:
    second = stand.platform.another_beat("second-beat").start()
    time.sleep(60)
    second.stop()


def web_killed(stand: Stand) -> None:
    web = stand.platform.webs[0]
    web.kill()
    time.sleep(AWAY)
    web.start()


def webs_rolled(stand: Stand) -> None:
    for web in stand.platform.webs:
        web.stop()
        web.start()


def aws_becomes(mode: str, seconds: float) -> Callable[[Stand], None]:
    def strike(stand: Stand) -> None:
        stand.aws.become(mode)
        time.sleep(seconds)
        stand.aws.become("pass")

    return strike


def emulator_told(path: str, **what: Any) -> Callable[[Stand], None]:
    def strike(stand: Stand) -> None:
        stand.platform.emulator.tell(path, **what)
        time.sleep(3 * AWAY)
        stand.platform.emulator.tell("/reset", all=True)

    return strike


def with_jobs_running(stand: Stand) -> None:
    """Make AWS slow for a moment, so that what comes next hits jobs in their middle."""
    stand.platform.emulator.tell("/delay", action="DescribeInstances", seconds=3, times=6)
    time.sleep(2)


STRIKES: dict[str, Callable[[Stand], None]] = {
    "nothing breaks": nothing,
    "Redis killed, restarted empty": redis_killed,
    "Redis hangs for 10 s": redis_hangs,
    "PostgreSQL stopped fast, restarted": postgres_restarted_fast,
    "PostgreSQL stopped immediately, restarted": postgres_restarted_immediately,
    "a worker killed in mid-evaluation": worker_killed,
    "both workers killed in mid-evaluation": both_workers_killed,
    "the beat killed": beat_killed,
    "two beats at once": two_beats,
    "a web killed": web_killed,
    "both webs restarted, one after the other": webs_rolled,
    "AWS refuses connections": aws_becomes("refuse", 3 * AWAY),
    "AWS answers nonsense": aws_becomes("nonsense", 3 * AWAY),
    "AWS cuts off its answers": aws_becomes("cut", 3 * AWAY),
    "AWS takes requests and never answers": aws_becomes("hang", 60),
    "AWS denies DescribeInstances": emulator_told("/deny", actions=["ec2:DescribeInstances"]),
    "AWS throttles everything": emulator_told(
        "/fail", action="Describe*", code="RequestLimitExceeded", status=503, times=1000
    ),
    "AWS is slow, 5 s a call": emulator_told("/delay", action="Describe*", seconds=5, times=1000),
}
