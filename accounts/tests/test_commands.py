import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.management import call_command

from accounts.models import User
from accounts.testing import PASSWORD


@pytest.mark.django_db
def test_createsuperuser_creates_an_admin_without_prompts(monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_EMAIL", "Root@example.com")
    monkeypatch.setenv("DJANGO_SUPERUSER_USERNAME", "root")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)

    call_command("createsuperuser", interactive=False, verbosity=0)

    user = User.objects.get(email="root@example.com")
    assert (user.role, user.is_staff, user.is_superuser) == ("admin", True, True)
    assert user.check_password(PASSWORD)


@pytest.mark.django_db
def test_createsuperuser_prompts_for_email_user_name_and_password_only(monkeypatch):
    questions = []

    class Terminal:
        def isatty(self) -> bool:
            return True

    def answer(question: object) -> str:
        questions.append(str(question))
        return "root@example.com" if "Email" in str(question) else "root"

    monkeypatch.setattr("builtins.input", answer)
    monkeypatch.setattr("getpass.getpass", lambda *_: PASSWORD)

    call_command("createsuperuser", verbosity=0, stdin=Terminal())

    assert [question.split(" ")[0].strip(":") for question in questions] == ["Email", "Username"]
    assert User.objects.get().role == "admin"


def test_passwords_are_hashed_by_bcrypt_with_work_factor_12_by_default():
    """Runs in its own process, because the test environment sets a lower work factor."""
    script = (
        "import django; django.setup(); "
        "from django.contrib.auth.hashers import check_password, make_password; "
        "encoded = make_password('x' * 100); "
        "assert check_password('x' * 100, encoded); "
        "assert not check_password('x' * 99, encoded); "
        "print(encoded[:25])"
    )
    unwanted = ("BCRYPT_ROUNDS", "DATABASE_URL", "REDIS_URL")
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    environment["DJANGO_SETTINGS_MODULE"] = "spot_optimizer.settings"

    printed = subprocess.run(
        [sys.executable, "-c", script],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert printed.startswith("bcrypt_sha256$$2b$12$")
