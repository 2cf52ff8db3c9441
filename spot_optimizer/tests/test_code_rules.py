"""Rules about the code base itself."""

import ast
import itertools
import os
import re
import statistics
import subprocess
import sys
from collections import Counter
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


# Words with too many meanings to name anything by; style.md, section 0.
BANNED = {
    *("told", "said", "say", "says", "tell", "tells", "asked", "ask", "asks", "asking", "words"),
    *("keep", "keeps", "kept", "take", "takes", "taken", "reach", "reached", "cover", "covers"),
    *("alike", "glance", "night", "nudge", "nudges", "thaw", "bar", "this"),
}
# Names that the contract or the database fixes.
FIXED = {"lab/models.py: kept_at", "sandbox/api/schemas.py: kept"}
BANNED_PAIRS = {("give", "back"), ("hand", "on"), ("lay", "out")}
PYTHON_FILES = [
    path
    for folder in [*APPS, "bench", "drills", "docs"]
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "migrations" not in path.parts
]


def test_functions_and_modules_stay_within_the_size_budget():
    sizes = {}
    for path in SOURCES:
        text = path.read_text()
        if path.name != "settings.py":
            assert text.count("\n") <= 300, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                # By line: a module has many functions named __init__, get or as_dict.
                sizes[f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"] = _size(node)

    too_long = {name: size for name, size in sizes.items() if size > 40}

    assert not too_long
    assert statistics.median(sizes.values()) <= 7
    assert statistics.quantiles(sizes.values(), n=10)[-1] < 25


def _size(node):
    lines = node.end_lineno - node.lineno + 1
    if ast.get_docstring(node):
        lines -= node.body[0].end_lineno - node.body[0].lineno + 1
    return lines


def test_no_identifier_uses_a_banned_word():
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in PYTHON_FILES
        for name in {path.stem, *_defined_names(path)}
        if _is_banned(name)
    }

    assert found == FIXED


@pytest.mark.parametrize(
    "name", ["told", "_say_why", "PoolShape", "giveBack", "lay_out", "KEEP_FOR", "hand_on_jobs"]
)
def test_a_banned_word_within_a_name_is_found(name):
    assert _is_banned(name)


@pytest.mark.parametrize("name", ["toolbar", "essay", "shape", "tasks", "keyword", "backing"])
def test_a_word_that_contains_a_banned_one_is_allowed(name):
    assert not _is_banned(name)


def _defined_names(path):
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.arg():
                yield node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.attr
            case ast.alias(asname=str()):
                yield node.asname


def _is_banned(name):
    parts = [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]
    has_pair = any(pair in BANNED_PAIRS for pair in itertools.pairwise(parts))
    return has_pair or bool(BANNED & set(parts)) or name.endswith("Shape")


def test_no_folder_holds_more_files_than_a_reader_can_scan():
    files = [path for path in _tracked_files() if not {"tests", "migrations"} & set(path.parts)]
    counts = Counter(path.parent for path in files if path.name != "__init__.py")

    del counts[Path()]  # tools are configured by files in the root
    assert counts.pop(Path("spot_optimizer")) <= 10
    assert {str(folder): count for folder, count in counts.items() if count > 16} == {}


def _tracked_files():
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout: nothing tells the project's files from others")
    return [Path(name) for name in listed.stdout.split("\0") if name]


@pytest.mark.django_db
def test_migrations_match_the_models():
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
    ("change", "message"),
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
def test_production_refuses_to_start_on_what_is_unsafe(change, message, tmp_path):
    error = startup_error({**PRODUCTION, **change, "VAR_DIR": str(tmp_path)})

    assert message in error
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
