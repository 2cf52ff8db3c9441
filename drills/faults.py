"""What breaks. Each fault returns when its cause is over: from then on recovery is counted."""

import time
from collections.abc import Callable
from typing import Any

from drills.environment import Environment

OUTAGE = 5  # [s]


def no_fault(environment: Environment) -> None:
    time.sleep(OUTAGE)


def redis_killed(environment: Environment) -> None:
    wait_until_jobs_run(environment)
    environment.redis.kill()
    time.sleep(OUTAGE)
    environment.redis.start()


def redis_hangs(environment: Environment) -> None:
    wait_until_jobs_run(environment)
    environment.redis.suspend()
    time.sleep(2 * OUTAGE)
    environment.redis.resume()


def postgres_restarted_fast(environment: Environment) -> None:
    environment.postgres.stop_fast()
    time.sleep(OUTAGE)
    environment.postgres.start()


def postgres_restarted_immediately(environment: Environment) -> None:
    wait_until_jobs_run(environment)
    environment.postgres.stop_immediately()
    time.sleep(OUTAGE)
    environment.postgres.start()


def worker_killed(environment: Environment) -> None:
    wait_until_jobs_run(environment)
    worker = environment.platform.workers[0]
    worker.kill()
    worker.start()


def both_workers_killed(environment: Environment) -> None:
    wait_until_jobs_run(environment)
    for worker in environment.platform.workers:
        worker.kill()
    for worker in environment.platform.workers:
        worker.start()


def beat_killed(environment: Environment) -> None:
    environment.platform.beat.kill()
    time.sleep(OUTAGE)
    environment.platform.beat.start()


def two_beats(environment: Environment) -> None:
    second = environment.platform.new_beat("second-beat").start()
    time.sleep(60)
    second.stop()


def web_killed(environment: Environment) -> None:
    web = environment.platform.webs[0]
    web.kill()
    time.sleep(OUTAGE)
    web.start()


def webs_restarted(environment: Environment) -> None:
    for web in environment.platform.webs:
        web.stop()
        web.start()


def aws_fault(mode: str, seconds: float) -> Callable[[Environment], None]:
    def fault(environment: Environment) -> None:
        environment.aws.set_mode(mode)
        time.sleep(seconds)
        environment.aws.set_mode("pass")

    return fault


def emulator_fault(path: str, **parameters: Any) -> Callable[[Environment], None]:
    def fault(environment: Environment) -> None:
        environment.platform.emulator.control(path, **parameters)
        time.sleep(3 * OUTAGE)
        environment.platform.emulator.control("/reset", all=True)

    return fault


def wait_until_jobs_run(environment: Environment) -> None:
    """Make AWS slow for a moment, so that the fault occurs while jobs are running."""
    environment.platform.emulator.control("/delay", action="DescribeInstances", seconds=3, times=6)
    time.sleep(2)


FAULTS: dict[str, Callable[[Environment], None]] = {
    "nothing breaks": no_fault,
    "Redis killed, restarted empty": redis_killed,
    "Redis hangs for 10 s": redis_hangs,
    "PostgreSQL stopped fast, restarted": postgres_restarted_fast,
    "PostgreSQL stopped immediately, restarted": postgres_restarted_immediately,
    "a worker killed in mid-evaluation": worker_killed,
    "both workers killed in mid-evaluation": both_workers_killed,
    "the beat killed": beat_killed,
    "two beats at once": two_beats,
    "a web killed": web_killed,
    "both webs restarted, one after the other": webs_restarted,
    "AWS refuses connections": aws_fault("refuse", 3 * OUTAGE),
    "AWS answers nonsense": aws_fault("nonsense", 3 * OUTAGE),
    "AWS cuts off its answers": aws_fault("cut", 3 * OUTAGE),
    "AWS takes requests and never answers": aws_fault("hang", 60),
    "AWS denies DescribeInstances": emulator_fault("/deny", actions=["ec2:DescribeInstances"]),
    "AWS throttles everything": emulator_fault(
        "/fail", action="Describe*", code="RequestLimitExceeded", status=503, times=1000
    ),
    "AWS is slow, 5 s a call": emulator_fault("/delay", action="Describe*", seconds=5, times=1000),
}
