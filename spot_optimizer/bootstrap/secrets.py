"""Generates missing secrets, and checks the environment before Django starts."""

import base64
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from django.core.exceptions import ImproperlyConfigured
from environs import EnvValidationError

BASE_DIR = Path(__file__).resolve().parents[2]
GENERATORS: dict[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "JWT_SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "ENCRYPTION_KEY": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    "EVENTBRIDGE_SECRET": lambda: secrets.token_urlsafe(32),
}


def generate_missing_secrets() -> None:
    """
    Add the secrets missing from both the environment and ``var/secrets.env`` to that file.

    They are stored because a new ``ENCRYPTION_KEY`` at each start would make stored credentials
    unreadable. In production none is generated: a missing secret must stop the start.
    """
    if os.environ.get("ENV") == "PRODUCTION":
        return
    var_dir = Path(os.environ.get("VAR_DIR") or BASE_DIR / "var")
    path = var_dir / "secrets.env"
    try:
        var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        stored = path.read_text() if path.exists() else ""
        missing = [
            name for name in GENERATORS if name not in os.environ and f"{name}=" not in stored
        ]
        if missing:
            generated = "".join(f"{name}={GENERATORS[name]()}\n" for name in missing)
            _append_private(path, generated)
    except OSError as error:
        sys.exit(
            f"Cannot write {path} ({error.strerror}). Make the folder writable, or set "
            f"{', '.join(GENERATORS)} in the environment."
        )


def check_environment() -> None:
    """Load the settings, or exit with what is wrong in the environment, without its values."""
    from django.conf import settings

    try:
        _ = settings.INSTALLED_APPS
    except EnvValidationError as error:
        sys.exit("\n".join(_problems(cast(Mapping[str, list[str]], error.error_messages))))
    except ImproperlyConfigured as error:
        sys.exit(str(error))


def _problems(errors: Mapping[str, list[str]]) -> list[str]:
    unset = "Environment variable not set."
    missing = [name for name, messages in errors.items() if unset in messages]
    wrong = [f"{name}: {' '.join(errors[name])}" for name in errors if name not in missing]
    if not missing:
        return wrong
    names = ", ".join(missing)
    return [
        *wrong,
        f"Set {names} in the environment; see .env.example. In production no secret is generated.",
    ]


def _append_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a") as file:
        file.write(text)
