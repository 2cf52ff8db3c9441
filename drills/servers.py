"""PostgreSQL and Redis servers that only the drills use, so that they can be killed."""

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from typing import LiteralString

import psycopg
import redis

from spot_optimizer.tests.process import Process
from spot_optimizer.tests.quickstart import free_port

DATABASE = "spot_optimizer"


def programs() -> Path | None:
    """Return the folder of Debian's newest PostgreSQL, if there is one and a redis-server."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: path.parts[-3]
    )
    return found[-1].parent if found and shutil.which("redis-server") else None


class Postgres(Process):
    """PostgreSQL refuses to run as root, so root starts it as the user postgres."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.port, self.data, bin_dir = free_port(), folder / "postgres", programs()
        user = "postgres" if os.geteuid() == 0 else None
        command = [f"{bin_dir}/postgres", "-D", str(self.data), "-k", "", "-p", str(self.port)]
        super().__init__(
            "postgres-server", command, folder=folder, environment=environment, user=user
        )
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/{DATABASE}"
        self._initialize(f"{bin_dir}/initdb")

    def _initialize(self, initdb: str) -> None:
        self.data.mkdir()
        if self.user:
            account = pwd.getpwnam(self.user)
            os.chown(self.data, account.pw_uid, account.pw_gid)
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]
        subprocess.run(  # noqa: S603  # a constant command
            [initdb, "-D", str(self.data), *options],
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
            env=self.environment,
            cwd="/",
            check=True,
            capture_output=True,
        )

    def create_database(self) -> None:
        with psycopg.connect(self.url.replace(DATABASE, "postgres"), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {DATABASE}")

    def is_ready(self) -> bool:
        try:
            psycopg.connect(self.url.replace(DATABASE, "postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop_fast(self) -> None:
        """Roll back open transactions and exit, like `pg_ctl stop`."""
        self.stop(signal.SIGINT)

    def stop_immediately(self) -> None:
        """Exit at once; the next start recovers from the write-ahead log."""
        self.stop(signal.SIGQUIT)

    def rows(self, query: LiteralString, *arguments: object) -> list[tuple]:
        with psycopg.connect(self.url, autocommit=True) as database:
            cursor = database.execute(query, arguments)
            return cursor.fetchall() if cursor.description else []


class Redis(Process):
    """Without persistence, as in docker-compose.yml: empty after a restart."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.port = free_port()
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(folder)]
        super().__init__("redis-server", command, folder=folder, environment=environment)
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def is_ready(self) -> bool:
        try:
            return bool(redis.from_url(self.url, socket_timeout=2).ping())
        except redis.RedisError:
            return False
