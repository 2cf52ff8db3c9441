"""docker-compose.yml, as far as it can be tested without a container engine."""

import os
import re
import shutil
import subprocess
import sys
from tempfile import NamedTemporaryFile

import pytest
import yaml

from spot_optimizer.settings import BASE_DIR

PROGRAM = shutil.which("docker-compose")
POSTGRES_CONNECTIONS = 97  # PostgreSQL's 100 without those reserved for its superuser
SECRETS = {
    "SECRET_KEY": "its-secret-key",
    "JWT_SECRET_KEY": "its-jwt-secret-key",
    "ENCRYPTION_KEY": "its-encryption-key",
    "POSTGRES_PASSWORD": "its-password",
}
OURS = ("migrate", "web", "worker", "beat")

needs_compose = pytest.mark.skipif(not PROGRAM, reason="docker-compose is not installed")


def config(*arguments, **environment):
    with NamedTemporaryFile() as empty:  # not the developer's .env
        return subprocess.run(
            [PROGRAM, "--env-file", empty.name, "config", *arguments],
            cwd=BASE_DIR,
            env={"PATH": os.environ["PATH"], **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="module")
def services():
    done = config(**SECRETS)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)["services"]


def ports_of(service):
    """Return them in the short form; newer programs write the long one."""
    return [
        each
        if isinstance(each, str)
        else "{host_ip}:{published}:{target}/{protocol}".format_map(each)
        for each in service["ports"]
    ]


@needs_compose
class TestTheFile:
    def test_is_valid_and_defines_every_process(self, services):
        assert set(services) == {"postgres", "redis", *OURS}

    @pytest.mark.parametrize("secret", SECRETS)
    def test_has_no_default_for_a_secret(self, secret):
        done = config("--quiet", **{name: SECRETS[name] for name in SECRETS if name != secret})

        assert done.returncode != 0
        assert secret in done.stderr
        assert "make one" in done.stderr

    def test_publishes_only_the_web_port_and_only_locally(self, services):
        published = {name: ports_of(each) for name, each in services.items() if "ports" in each}

        assert published == {"web": ["127.0.0.1:8000:8000/tcp"]}

    def test_gives_each_scaled_web_its_own_port(self):
        done = config(**SECRETS, WEB_PORT="8000-8001")

        web = yaml.safe_load(done.stdout)["services"]["web"]
        assert ports_of(web) == ["127.0.0.1:8000-8001:8000/tcp"]

    def test_starts_the_platform_only_on_a_migrated_database(self, services):
        for name in ("web", "worker", "beat"):
            depends_on = services[name]["depends_on"]
            assert depends_on["migrate"] == {"condition": "service_completed_successfully"}

    def test_has_a_health_check_for_each_long_running_service(self, services):
        checks = {
            name: each["healthcheck"].get("test", ["NONE"])[0] for name, each in services.items()
        }

        assert checks == dict.fromkeys(services, "CMD") | {"migrate": "NONE"}

    def test_runs_containers_read_only_and_without_privileges(self, services):
        for each in services.values():
            assert each["read_only"] is True
            assert each["cap_drop"] == ["ALL"]
            assert each["security_opt"] == ["no-new-privileges:true"]

    def test_pools_of_two_webs_and_two_workers_fit_into_postgres(self, services):
        sizes = {
            name: int(services[name]["environment"]["DB_POOL_SIZE"])
            + int(services[name]["environment"]["DB_POOL_OVERFLOW"])
            for name in OURS
        }

        assert sum(sizes.values()) + sizes["web"] + sizes["worker"] <= POSTGRES_CONNECTIONS


# Set by compose itself, or forbidden in production.
NOT_PASSED = {"DEBUG", "VAR_DIR", "AWS_ENDPOINT_URL", "STREAM_REQUIRE_TICKET", "RISK_MODEL_PATH"}


@needs_compose
def test_every_other_variable_is_passed(services):
    example = (BASE_DIR / ".env.example").read_text()
    known = set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE))

    passed = {name for each in OURS for name in services[each]["environment"]}

    assert known - passed == NOT_PASSED


@needs_compose
def test_accepts_the_secrets_that_the_readme_generates(tmp_path):
    readme = (BASE_DIR / "README.md").read_text()
    script = re.search(r"python3 - >> \.env <<'END'\n(.*?)\nEND\n", readme, re.DOTALL)[1]
    generated = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    settings = dict(line.split("=", 1) for line in generated.splitlines())

    done = config(**settings)

    assert done.returncode == 0, done.stderr
    web = yaml.safe_load(done.stdout)["services"]["web"]["environment"]
    # Outside a container, VAR_DIR needs another value.
    checked = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=BASE_DIR,
        env={name: str(value) for name, value in web.items()}
        | {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_the_image_has_no_tests_and_no_emulator():
    requirements = (BASE_DIR / "requirements.txt").read_text()
    installed, _, left_out = requirements.partition("# The emulator")

    assert "RUN sed '/^# The emulator/,$d'" in (BASE_DIR / "Dockerfile").read_text()
    assert "django==" in installed
    assert "moto" not in installed
    assert "moto" in left_out
    assert "pytest" not in requirements
