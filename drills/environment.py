"""The environment of the drills: own servers, the platform, and a proxy for AWS."""

import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from drills.aws_proxy import AwsProxy
from drills.servers import Postgres, Redis
from spot_optimizer.tests.process import Process
from spot_optimizer.tests.processes import Processes

SWEEP_EVERY = 20  # [s] in a drill; five minutes by default
REGION = "us-east-1"


class Environment:
    """The platform, PostgreSQL, Redis and the AWS proxy. The faults may kill any of them."""

    def __init__(self, **environment: str) -> None:
        # Not pytest's folder: the user postgres needs access.
        self.folder = Path(tempfile.mkdtemp(prefix="drill-"))
        self.folder.chmod(0o755)
        bare = {"PATH": os.environ["PATH"]}
        self.postgres, self.redis = Postgres(self.folder, bare), Redis(self.folder, bare)
        self.aws = AwsProxy()
        services = {"DATABASE_URL": self.postgres.url, "REDIS_URL": self.redis.url}
        self.platform = Processes(
            self.folder,
            services | {"AWS_ENDPOINT_URL": self.aws.url, **environment},
        )
        self.aws.target_port = self.platform.emulator.port
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            opening.callback(shutil.rmtree, self.folder, ignore_errors=True)
            opening.callback(self._end_servers)
            self.postgres.start()
            self.postgres.create_database()
            self.redis.start()
            opening.enter_context(self.aws)
            opening.enter_context(self.platform)
            self.sweep_every(SWEEP_EVERY)
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _end_servers(self) -> None:
        for server in (self.postgres, self.redis):
            if server.is_running:
                server.kill()

    def sweep_every(self, seconds: int) -> None:
        """Change the schedule as an operator would; beat reloads it by itself."""
        self.postgres.rows(
            "WITH soon AS (INSERT INTO django_celery_beat_intervalschedule (every, period)"
            " VALUES (%s, 'seconds') RETURNING id) UPDATE django_celery_beat_periodictask"
            " SET interval_id = soon.id FROM soon WHERE name = 'cleanup_expired_sessions'",
            seconds,
        )
        self.postgres.rows("UPDATE django_celery_beat_periodictasks SET last_update = now()")

    def restart_exited(self) -> list[str]:
        """Restart processes that exited by themselves, as compose would; return a note for each."""
        exited = [process for process in self.all if not process.is_running]
        for process in exited:
            process.start()
        return [f"{process.name} exited by itself" for process in exited]

    @property
    def instances(self) -> list[dict]:
        return [each for each in self.platform.facts["instances"] if each["region"] == REGION]

    @property
    def all(self) -> list[Process]:
        return [self.postgres, self.redis, *self.platform.all]
