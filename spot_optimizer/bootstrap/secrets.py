"""What must be there before the settings can be read: the secrets of this installation."""

import base64
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from django.core.exceptions import ImproperlyConfigured
from environs import EnvValidationError

HOME = Path(__file__).resolve().parents[2]
MAKERS: dict[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "JWT_SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "ENCRYPTION_KEY": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    "EVENTBRIDGE_SECRET": lambda: secrets.token_urlsafe(32),
}


def make_missing_secrets() -> None:
    """
    Write the secrets that neither the environment nor ``var/secrets.env`` has, once and for all.

    A new ``ENCRYPTION_KEY`` at each start would orphan every session. In production nothing is
    made: there, a missing secret must stop the start.
    """
    if os.environ.get("ENV") == "PRODUCTION":
        return
    var_dir = Path(os.environ.get("VAR_DIR") or HOME / "var")
    path = var_dir / "secrets.env"
    try:
        var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = path.read_text() if path.exists() else ""
        missing = [name for name in MAKERS if name not in os.environ and f"{name}=" not in known]
        if missing:
            made = "".join(f"{name}={MAKERS[name]()}\n" for name in missing)
            _append_private(path, made)
    except OSError as error:
        sys.exit(
            f"Cannot write {path} ({error.strerror}). Make the folder writable, or set "
            f"{', '.join(MAKERS)} in the environment."
        )


def check_environment() -> None:
    """Read the settings, or stop with what is wrong in the environment; values are not shown."""
    from django.conf import settings

    try:
        _ = settings.INSTALLED_APPS
    except EnvValidationError as error:
        sys.exit("\n".join(_problems(cast(Mapping[str, list[str]], error.error_messages))))
    except ImproperlyConfigured as error:
        sys.exit(str(error))


def _problems(told: Mapping[str, list[str]]) -> list[str]:
    unset = "Environment variable not set."
    missing = [name for name, sentences in told.items() if unset in sentences]
    wrong = [f"{name}: {' '.join(told[name])}" for name in told if name not in missing]
    if not missing:
        return wrong
    names = ", ".join(missing)
    return [*wrong, f"Set {names} in the environment; see .env.example. Production makes none."]


def _append_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a") as file:
        file.write(text)
