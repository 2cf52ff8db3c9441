"""
Databases and folders that no other test process uses.

Several processes run tests at once (pytest-xdist's workers, and the platforms that tests start),
on one PostgreSQL server and one Redis server.
"""

import atexit
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import psycopg
import redis

REDIS_DATABASES = 16  # Redis's default; tests never use number 0
LOCK_FOLDER = Path(tempfile.gettempdir()) / "spot-optimizer-tests"
_numbers = count(1)
_locks: dict[str, IO[str]] = {}


def is_on_services() -> bool:
    """Return whether the suite runs on PostgreSQL and Redis."""
    is_postgres = os.environ.get("DATABASE_URL", "").startswith("postgres")
    return is_postgres and bool(os.environ.get("REDIS_URL"))


def isolate_worker() -> None:
    """
    Give this pytest-xdist worker its own folder and Redis database, through the environment.

    Processes that its tests start inherit both.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker and os.environ.get("ISOLATED_WORKER") != worker:
        os.environ["ISOLATED_WORKER"] = worker
        folder = Path(os.environ.get("VAR_DIR") or Path(__file__).parents[2] / "var")
        os.environ["VAR_DIR"] = str(folder / worker)
        if os.environ.get("REDIS_URL"):
            os.environ["REDIS_URL"] = lease_redis_database()


def lease_services() -> dict[str, str]:
    """Return the environment of a platform with a database and a Redis database of its own."""
    if not is_on_services():
        return {"DATABASE_URL": "", "REDIS_URL": ""}
    return {"DATABASE_URL": create_database(), "REDIS_URL": lease_redis_database()}


def release_services(environment: dict[str, str]) -> None:
    """Drop what `lease_services` created; a URL that it did not create is left alone."""
    if environment.get("DATABASE_URL", "").startswith(_own_database_prefix()):
        drop_database(environment["DATABASE_URL"])
    if lock := _locks.pop(environment.get("REDIS_URL", ""), None):
        lock.close()


def create_database() -> str:
    """Create an empty PostgreSQL database and return its URL."""
    url = f"{_own_database_prefix()}{next(_numbers)}"
    with _administration(url) as (admin, name):
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{name}"')
    return url


def drop_database(url: str) -> None:
    with _administration(url) as (admin, name):
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def lease_redis_database() -> str:
    """Empty a Redis database, lock it for the life of this process, and return its URL."""
    parts = urlsplit(os.environ["REDIS_URL"])
    base = int(parts.path.strip("/") or 0)
    LOCK_FOLDER.mkdir(exist_ok=True)
    for number in chain(range(base + 1, REDIS_DATABASES), range(1, base)):
        lock = (LOCK_FOLDER / f"redis-{parts.hostname}-{parts.port}-{number}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        url = parts._replace(path=f"/{number}").geturl()
        _locks[url] = lock
        atexit.register(lock.close)
        with redis.from_url(url) as client:
            client.flushdb()
        return url
    raise RuntimeError("Other test processes use all of Redis's databases.")


def _own_database_prefix() -> str:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    return f"{os.environ.get('DATABASE_URL', '')}_platform_{worker}_"


@contextmanager
def _administration(url: str) -> Iterator[tuple[psycopg.Connection, str]]:
    server, _, name = url.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        yield admin, name
