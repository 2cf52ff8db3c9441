"""Rules about the code base itself."""

import ast
import os
import statistics
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from spot_optimizer.bootstrap.secrets import generate_missing_secrets
from spot_optimizer.tests.environment import startup_error

ROOT = Path(__file__).resolve().parents[2]
APPS = ["spot_optimizer", "accounts", "sandbox", "lab", "streaming"]
SOURCES = [
    path
    for app in APPS
    for path in sorted((ROOT / app).rglob("*.py"))
    if not {"tests", "migrations"} & set(path.relative_to(ROOT).parts)
]
PRODUCTION = {
    "ENV": "PRODUCTION",
    "SECRET_KEY": "production-check-2f8b1c9a7d6e5f4031-ABCDEFGHIJKLMNOP-qrst",
    "JWT_SECRET_KEY": "production-check-9c0d1e2f3a4b5c6d7e-QRSTUVWXYZ-abcdefgh",
    "ENCRYPTION_KEY": "cHJvZHVjdGlvbi1jaGVjay1wcm9kdWN0aW9uLWNoZWM=",
    "ALLOWED_HOSTS": "spot.example.com",
    "PATH": os.environ["PATH"],
}


def test_functions_and_modules_keep_to_the_budget():
    sizes = {}
    for path in SOURCES:
        text = path.read_text()
        if path.name not in ("settings.py",):
            assert text.count("\n") <= 300, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                sizes[f"{path.relative_to(ROOT)}:{node.name}"] = _size(node)

    too_long = {name: size for name, size in sizes.items() if size > 40}

    assert not too_long
    assert statistics.median(sizes.values()) <= 7
    assert statistics.quantiles(sizes.values(), n=10)[-1] < 25


def _size(node):
    lines = node.end_lineno - node.lineno + 1
    if ast.get_docstring(node):
        lines -= node.body[0].end_lineno - node.body[0].lineno + 1
    return lines


@pytest.mark.django_db
def test_migrations_say_what_the_models_say():
    from django.core.management import call_command

    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def manage(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_production_environment_passes_djangos_own_check(tmp_path):
    done = manage(
        "check", "--deploy", "--fail-level", "WARNING", **PRODUCTION, VAR_DIR=str(tmp_path)
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"DEBUG": "true"}, "DEBUG"),
        ({"SECRET_KEY": "change-me-change-me-change-me-change-me-change-me"}, "SECRET_KEY"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY"),
        ({"ENCRYPTION_KEY": ""}, "ENCRYPTION_KEY"),
        ({"ENCRYPTION_KEY": "not-a-key"}, "ENCRYPTION_KEY"),
        ({"CORS_ALLOWED_ORIGINS": "*"}, "CORS_ALLOWED_ORIGINS"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:4588"}, "AWS_ENDPOINT_URL"),
        ({"JWT_SECRET_KEY": PRODUCTION["SECRET_KEY"]}, "differ"),
        ({"STREAM_REQUIRE_TICKET": "false"}, "STREAM_REQUIRE_TICKET"),
        ({"NUM_PROXIES": "0"}, "NUM_PROXIES"),
        ({"NUM_PROXIES": "-1"}, "NUM_PROXIES"),
        ({"JWT_SECRET_KEY": "change-me-change-me-change-me-change-me-change-me"}, "JWT_SECRET_KEY"),
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"JWT_SECRET_KEY": ""}, "JWT_SECRET_KEY"),
        ({"CORS_ALLOWED_ORIGINS": "https://a.example, *"}, "CORS_ALLOWED_ORIGINS"),
        ({"ENV": "STAGING"}, "ENV"),
        ({"THROTTLE_LOGIN": "often"}, "THROTTLE_LOGIN"),
    ],
)
def test_production_refuses_to_start_on_what_is_unsafe(change, said, tmp_path):
    error = startup_error({**PRODUCTION, **change, "VAR_DIR": str(tmp_path)})

    assert said in error
    for secret in ("SECRET_KEY", "JWT_SECRET_KEY", "ENCRYPTION_KEY"):
        assert PRODUCTION[secret] not in error


def test_the_first_start_makes_secrets_once_for_its_owner_only(tmp_path):
    bare = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path / "var")}

    first = manage("check", **bare)
    made = (tmp_path / "var" / "secrets.env").read_text()
    with mock.patch.dict(os.environ, bare, clear=True):
        generate_missing_secrets()

    assert first.returncode == 0, first.stderr
    assert (tmp_path / "var" / "secrets.env").read_text() == made
    assert (tmp_path / "var" / "secrets.env").stat().st_mode & 0o777 == 0o600
    assert made.count("ENCRYPTION_KEY=") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_one_clear_sentence(tmp_path):
    tmp_path.chmod(0o500)

    done = manage("check", PATH=os.environ["PATH"], VAR_DIR=str(tmp_path / "var"))

    assert done.returncode == 1
    assert "Cannot write" in done.stderr
    assert "Traceback" not in done.stderr
