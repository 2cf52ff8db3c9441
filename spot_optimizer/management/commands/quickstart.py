import json
import os
import secrets
from argparse import ArgumentParser, ArgumentTypeError
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from accounts import sign_in_links as links
from accounts.models import User
from sandbox import sweeps, tasks
from spot_optimizer.bootstrap import quickstart as quick_start
from spot_optimizer.bootstrap.local_aws import LocalAws
from spot_optimizer.server.daphne_server import build_server, is_free
from spot_optimizer.worker.embedded import EmbeddedWorker

ADMIN_EMAIL = "admin@example.com"
FACTS_FILE = settings.VAR_DIR / quick_start.FILE
LINE = "=" * 80


class Command(BaseCommand):
    help = (
        "Start the whole platform on this machine: database, AWS emulator, web, worker, scheduler."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=_port, default=settings.API_PORT)
        parser.add_argument(
            "--emulator-port",
            type=_port,
            default=4588,
            help="port of the AWS emulator; another one if it is in use",
        )
        parser.add_argument(
            "--aws", action="store_true", help="use real AWS instead of the emulator"
        )

    def handle(self, *args: Any, port: int, emulator_port: int, aws: bool, **options: Any) -> None:
        self._print(f"{LINE}\n🚀 STARTING SPOT OPTIMIZER PLATFORM\n{LINE}")
        if not is_free(settings.API_HOST, port):
            raise CommandError(
                f"Port {port} on {settings.API_HOST} is in use. Stop the process that uses it, or "
                f"start with --port {port + 1}."
            )
        call_command("migrate", verbosity=0, interactive=False)
        self._print("✓ Database tables created")
        base_url = f"http://{settings.API_HOST}:{port}"
        with _emulator(emulator_port, base_url, is_real=aws) as local:
            if local:
                # No client has been created yet.
                settings.AWS_ENDPOINT_URL = local.facts["url"]
            facts = _write_facts(base_url, local)
            self._serve(port, facts)
        self._print("Stopped. Sessions and streams are stored: the next start resumes them.")

    def _serve(self, port: int, facts: dict[str, Any]) -> None:
        sweeps.revoke_all_leases()
        server = build_server(settings.API_HOST, port)
        with EmbeddedWorker():
            tasks.enqueue(sweeps.pending_work(now=timezone.now(), older_than=timedelta()))
            self._print_addresses(facts)
            server.run()

    def _print_addresses(self, facts: dict[str, Any]) -> None:
        base_url = facts["base_url"]
        self._print("✓ Background scheduler started\n  Jobs scheduled:")
        for job in PeriodicTask.objects.filter(enabled=True).order_by("name"):
            name = job.name.replace("_", " ").capitalize()
            self._print(f"    - {name} ({_when(job)})")
        self._print(f"{LINE}\n✓ Server running on {base_url}")
        self._print_sign_in_link(base_url)
        self._print(f"✓ API docs available at {base_url}/docs")
        self._print(f"✓ Admin at {base_url}/admin/ as {facts['admin']['email']}")
        self._print(f"  password {facts['admin']['password']} (also in {_shown(FACTS_FILE)})")
        if facts["aws_endpoint_url"]:
            self._print(f"✓ AWS emulator at {facts['aws_endpoint_url']}")
        self._print(f"✓ Environment: {settings.ENV}\n{LINE}")
        if facts["instances"]:
            self._print(tutorial(facts))
        self._print("Stop with Ctrl-C.")

    def _print_sign_in_link(self, base_url: str) -> None:
        if settings.IS_PRODUCTION:
            return
        minutes = links.VALID_FOR // timedelta(minutes=1)
        token = links.sign_in_token(User.objects.get(email=ADMIN_EMAIL))
        self._print(
            f"✓ Open the dashboard, signed in (the link works once, within {minutes} minutes):"
        )
        self._print(f"  {base_url}{reverse('sign-in-link')}?token={token}")

    def _print(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= 65535):
        raise ArgumentTypeError("must be a whole number from 1 to 65535")
    return int(text)


def _emulator(port: int, base_url: str, *, is_real: bool) -> Any:
    if is_real or settings.AWS_ENDPOINT_URL:
        return nullcontext()
    port = port if is_free("127.0.0.1", port) else 0
    return LocalAws(port=port, eventbridge_url=f"{base_url}/api/v1/signals/eventbridge")


def _write_facts(base_url: str, local: LocalAws | None) -> dict[str, Any]:
    """Write ``var/quickstart.json`` for users and scripts, readable by its owner only."""
    known = local.facts if local else {}
    facts = {
        "base_url": base_url,
        "aws_endpoint_url": known.get("url", settings.AWS_ENDPOINT_URL),
        "access_key": known.get("access_key", ""),
        "secret_key": known.get("secret_key", ""),
        "admin": _admin(),
        "instances": [
            {name: instance[name] for name in INSTANCE} for instance in known.get("instances", [])
        ],
    }
    temporary = FACTS_FILE.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(facts, file, indent=2)
    temporary.replace(FACTS_FILE)
    return facts


INSTANCE = ("instance_id", "instance_type", "availability_zone", "region")


def _admin() -> dict[str, str]:
    """Create the admin at the first start; later, return the password that was printed then."""
    try:
        known: str = json.loads(FACTS_FILE.read_text())["admin"]["password"]
    except (OSError, ValueError, KeyError):
        known = ""
    admin = User.objects.filter(email=ADMIN_EMAIL).first()
    if admin is None:
        known = secrets.token_urlsafe(12)
        User.objects.create_superuser(ADMIN_EMAIL, "admin", known)
    elif not known:
        known = secrets.token_urlsafe(12)
        admin.set_password(known)
        admin.save(update_fields=["password"])
    return {"email": ADMIN_EMAIL, "password": known}


def tutorial(facts: dict[str, Any]) -> str:
    """Return shell commands that go from registration to a decision."""
    base_url, instance = facts["base_url"], facts["instances"][0]
    body = json.dumps(
        {
            "instance_id": instance["instance_id"],
            "instance_type": instance["instance_type"],
            "availability_zone": instance["availability_zone"],
            "aws_region": instance["region"],
            "aws_access_key": facts["access_key"],
            "aws_secret_key": facts["secret_key"],
        }
    )
    post = "curl -s -H 'Content-Type: application/json'"
    return f"""A tutorial to paste into another terminal (it requires curl and python3):

  field() {{ python3 -c "import json,sys; print(json.load(sys.stdin)['$1'])"; }}
  ME=me$RANDOM$RANDOM
  TOKEN=$({post} {base_url}/api/v1/auth/register \\
    -d '{{"email": "'$ME'@example.com", "username": "'$ME'", "password": "SecurePassword123"}}' \\
    | field access_token)
  SESSION=$({post} -H "Authorization: Bearer $TOKEN" {base_url}/api/v1/sandbox/sessions \\
    -d '{body}' | field session_id)
  {post} -H "Authorization: Bearer $TOKEN" -X POST -d '{{}}' \\
    {base_url}/api/v1/sandbox/sessions/$SESSION/evaluate | python3 -m json.tool | head -40
  curl -s -H "Authorization: Bearer $TOKEN" -H 'Accept: application/x-ndjson' \\
    {base_url}/api/v1/sandbox/sessions/$SESSION/logs

Or evaluate in one command:

  .venv/bin/python manage.py evaluate {instance["instance_id"]} --region {instance["region"]}
"""


def _when(job: PeriodicTask) -> str:
    return job.crontab.human_readable if job.crontab else str(job.interval)


def _shown(path: Path) -> str:
    home = settings.BASE_DIR
    return str(path.relative_to(home) if path.is_relative_to(home) else path)
