"""Errors in the environment are reported as sentences, without values and tracebacks."""

import os
import subprocess
import sys

import pytest

from spot_optimizer.management.commands.quickstart import Command
from spot_optimizer.settings import BASE_DIR
from spot_optimizer.tests.environment import startup_error

BAD_VALUE = "a-value-to-keep-quiet"


def run(*arguments, var_dir, program=("manage.py",), **environment):
    secrets = ("SECRET_KEY", "JWT_SECRET_KEY", "ENCRYPTION_KEY", "ENV")
    clean = {name: value for name, value in os.environ.items() if name not in secrets}
    return subprocess.run(
        [sys.executable, *program, *arguments],
        cwd=BASE_DIR,
        env=clean
        | {"DJANGO_SETTINGS_MODULE": "spot_optimizer.settings", "VAR_DIR": str(var_dir)}
        | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("environment", "parts"),
    [
        ({"ENV": BAD_VALUE}, ["ENV: Must be one of: TEST, PRODUCTION."]),
        ({"API_PORT": BAD_VALUE, "THROTTLE_API": BAD_VALUE}, ["API_PORT: ", "THROTTLE_API: "]),
        ({"ENV": "PRODUCTION"}, ["Set SECRET_KEY, JWT_SECRET_KEY, ENCRYPTION_KEY in the"]),
        ({"DATABASE_URL": BAD_VALUE}, ["DATABASE_URL is not"]),
    ],
    ids=lambda value: next(iter(value)),
)
def test_an_invalid_environment_is_reported_in_sentences(environment, parts, tmp_path):
    error = startup_error({"VAR_DIR": str(tmp_path), **environment})

    assert all(part in error for part in parts)
    assert BAD_VALUE not in error


CELERY = ("-m", "celery", "-A", "spot_optimizer")


@pytest.mark.parametrize(
    ("program", "environment"),
    [
        (("manage.py", "check"), {"API_PORT": BAD_VALUE}),
        (("-m", "spot_optimizer.server"), {"API_PORT": BAD_VALUE, "ENV": "PRODUCTION"}),
        ((*CELERY, "worker"), {"DATABASE_URL": BAD_VALUE}),
        ((*CELERY, "beat"), {"API_PORT": BAD_VALUE}),
    ],
    ids=["manage.py", "server", "worker", "beat"],
)
def test_every_process_reports_it_in_the_same_sentences(program, environment, tmp_path):
    error = startup_error({"VAR_DIR": str(tmp_path), **environment})

    done = run(program=program, var_dir=tmp_path, **environment)

    assert (done.returncode, done.stderr) == (1, f"{error}\n")
    assert "Traceback" not in done.stderr
    assert BAD_VALUE not in done.stdout + done.stderr


@pytest.mark.parametrize("port", ["0", "65536", "99999", "-1", "x", "٨"])
def test_an_invalid_port_is_reported(port, capsys):
    with pytest.raises(SystemExit) as refusal:
        Command().run_from_argv(["manage.py", "quickstart", f"--port={port}"])

    assert refusal.value.code == 2
    assert "from 1 to 65535" in capsys.readouterr().err
