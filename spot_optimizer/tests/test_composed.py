"""Every process of docker-compose.yml, run with its command and checked with its health check."""

import os
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
import urllib3

from spot_optimizer.tests.compose_project import FILE, ComposeProject
from spot_optimizer.tests.processes import needs_services
from spot_optimizer.tests.quickstart import free_port, until
from spot_optimizer.worker.healthcheck import STALE_AFTER

pytestmark = needs_services
needs_redis = pytest.mark.skipif(
    not shutil.which("redis-server"), reason="redis-server is not installed"
)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    with ComposeProject(tmp_path_factory.mktemp("production")) as project:
        yield project


@pytest.fixture(scope="module")
def migrated(project):
    migrate = project.start("migrate")
    assert migrate.process.wait(timeout=120) == 0, migrate.output
    return project


@pytest.fixture(scope="module")
def services(migrated):
    """Two webs, two workers and a beat, in production."""
    names = [("web", 1), ("web", 2), ("worker", 1), ("worker", 2), ("beat", 1)]
    services = {f"{name}-{number}": migrated.start(name, number=number) for name, number in names}
    for service in services.values():
        service.until_healthy()
    return services


class TestInProduction:
    def test_all_become_healthy(self, services):
        assert all(service.is_healthy() for service in services.values())

    def test_migrating_again_changes_nothing(self, migrated):
        again = migrated.start("migrate", number=2)

        assert again.process.wait(timeout=120) == 0
        assert "No migrations to apply" in again.output

    def test_both_webs_share_the_users(self, services):
        one, other = services["web-1"], services["web-2"]
        body = {"email": "a@example.com", "username": "a", "password": "SecurePassword123"}

        made = request(one, "POST", "/api/v1/auth/register", json=body)
        token = made.json()["access_token"]
        seen = request(other, "GET", "/api/v1/auth/verify", token=token)

        assert (made.status, seen.status) == (201, 200)

    @pytest.mark.parametrize("name", ["worker-1", "beat-1"])
    def test_a_hanging_process_is_unhealthy(self, services, name):
        service = services[name]
        heartbeat = service.environment["HEARTBEAT_FILE"]

        service.process.send_signal(signal.SIGSTOP)
        try:
            long_ago = time.time() - STALE_AFTER - 1
            os.utime(heartbeat, (long_ago, long_ago))  # instead of waiting for so long
            time.sleep(6)  # longer than the interval between two heartbeats
            was_healthy = service.is_healthy()
        finally:
            service.process.send_signal(signal.SIGCONT)

        assert not was_healthy
        service.until_healthy()

    @needs_redis
    def test_a_worker_without_its_broker_is_unhealthy(self, migrated, tmp_path):
        with RedisServer(tmp_path) as broker:
            worker = migrated.start("worker", number=3, REDIS_URL=broker.url).until_healthy()
        long_ago = time.time() - STALE_AFTER - 1
        time.sleep(3)
        os.utime(worker.environment["HEARTBEAT_FILE"], (long_ago, long_ago))
        time.sleep(6)

        assert not worker.is_healthy()
        worker.kill()

    def test_all_stop_within_their_grace_period(self, services):
        with ThreadPoolExecutor() as pool:
            codes = list(pool.map(lambda service: service.stop(), services.values()))

        assert codes == [0] * len(services)
        assert "Traceback" not in "".join(service.output for service in services.values())


def request(web, method, path, *, token="", **options):
    return urllib3.request(
        method,
        f"http://127.0.0.1:{web.port}{path}",
        headers={"X-Forwarded-Proto": "https", "Authorization": f"Bearer {token}"},
        retries=False,
        timeout=30,
        **options,
    )


class RedisServer:
    """Redis with the command of docker-compose.yml, on a free port."""

    def __init__(self, folder) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process = subprocess.Popen(
            [*FILE["services"]["redis"]["command"], "--port", str(self.port)],
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )

    def __enter__(self) -> "RedisServer":
        client = redis.from_url(self.url)

        def responds():
            try:
                return client.ping()
            except redis.ConnectionError:
                return False

        until(responds, what="Redis")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)


@needs_redis
def test_redis_writes_nothing_to_disk(tmp_path):
    with RedisServer(tmp_path) as server:
        redis.from_url(server.url).set("a", "b")

    assert server.process.returncode == 0
    assert list(tmp_path.iterdir()) == []
