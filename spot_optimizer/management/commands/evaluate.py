import json
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO, Any, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError, connection
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from rich.console import Console

from accounts.models import User
from lab.decisions.as_of import decide_as_of
from sandbox import services
from sandbox.api.serializers import PreferencesIn
from sandbox.cleanup import jobs as cleanup
from sandbox.evaluation import jobs as evaluations
from sandbox.models import Evaluation, SandboxSession
from sandbox.preflight import jobs as preflights
from sandbox.queries import is_settled
from spot_optimizer.aws.client.access import AwsAccess
from spot_optimizer.aws.client.credentials import Credentials
from spot_optimizer.aws.client.deadline import Deadline
from spot_optimizer.aws.instances import describe_instance
from spot_optimizer.errors import DomainError
from spot_optimizer.management.terminal import decision_panel, line_text, pools_table
from streaming.models import Line
from streaming.queries import lines_after

QUICKSTART_FILE = settings.VAR_DIR / "quickstart.json"
MAX_WAIT = 150.0  # [s] the time limits of the evaluation and its preflight, and some margin
POLL_INTERVAL = 0.1  # [s]


class Command(BaseCommand):
    help = "Evaluate a running instance; or, with --as-of, any instance type on stored prices."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("instance_id", nargs="?", help="a running instance")
        parser.add_argument("--region", required=True, help="such as us-east-1")
        parser.add_argument(
            "--user", help="e-mail of the session's owner; default: the first admin"
        )
        parser.add_argument("--as-of", help="a time in the stored history, such as 2021-04-20")
        parser.add_argument("--type", help="with --as-of: the instance type, such as m5.large")
        parser.add_argument("--zone", help="with --as-of: the zone, such as us-east-1a")
        parser.add_argument("--purchase", choices=["spot", "on_demand"], default="spot")
        parser.add_argument("--json", action="store_true", help="print only the evaluation")

    def handle(self, *args: Any, **options: Any) -> None:
        self.console = Console(file=cast("IO[str]", self.stdout), quiet=options["json"])
        try:
            outcome = self._as_of(options) if options["as_of"] else self._live(options)
        except DomainError as error:
            raise CommandError(f"{error} ({error.code})") from error
        except (OperationalError, ProgrammingError) as error:
            raise CommandError(
                "The database is unavailable, or has no tables. Start manage.py quickstart "
                "first, with the same VAR_DIR and DATABASE_URL, or run manage.py migrate."
            ) from error
        if options["json"]:
            self.stdout.write(json.dumps(outcome, indent=2))
            return
        self.console.print(pools_table(outcome))
        self.console.print(decision_panel(outcome))

    def _as_of(self, options: dict[str, Any]) -> dict[str, Any]:
        if not (options["type"] and options["zone"]) or options["instance_id"]:
            raise CommandError("--as-of requires --type and --zone, and no instance id.")
        decision = decide_as_of(
            instance_type=options["type"],
            zone=options["zone"],
            region=options["region"],
            purchase=options["purchase"],
            at=_parse_time(options["as_of"]),
        )
        for step in decision["trace"]:
            text = f"{step['stage']:>12}  {step['note']}"
            self.console.print(text, soft_wrap=True, highlight=False)
        return decision

    def _live(self, options: dict[str, Any]) -> dict[str, Any]:
        if not options["instance_id"]:
            raise CommandError("Give an instance id, or --as-of, --type and --zone.")
        session = _open(options["instance_id"], options["region"], _owner(options["user"]))
        try:
            evaluation = services.request_evaluation(session=session, now=timezone.now())
            for line in _work_and_stream(session, evaluation):
                if line.type != Line.Type.DECISION:  # printed as a panel
                    self.console.print(line_text(line), soft_wrap=True)
        finally:
            services.end_session(session=session, now=timezone.now())
            cleanup.clean_up(session_id=session.pk, now=timezone.now())
        evaluation.refresh_from_db()
        if evaluation.error or not evaluation.outcome:
            raise CommandError(evaluation.error["detail"] if evaluation.error else "Not settled.")
        outcome: dict[str, Any] = evaluation.outcome
        return outcome


def _open(instance_id: str, region: str, owner: User) -> SandboxSession:
    credentials = _credentials()
    found = describe_instance(
        AwsAccess(credentials, region), instance_id, deadline=Deadline.after(30)
    )
    return services.open_session(
        user=owner,
        credentials=credentials,
        credentials_expire_at=None,
        ttl_minutes=15,
        now=timezone.now(),
        instance_id=instance_id,
        instance_type=found.instance_type,
        availability_zone=found.zone,
        aws_region=region,
        preferences=PreferencesIn().to_internal_value({}),
    )


def _credentials() -> Credentials:
    """Return the credentials of the environment, or of the quick start's emulator."""
    if settings.AWS_ACCESS_KEY_ID:
        return Credentials(
            settings.AWS_ACCESS_KEY_ID,
            settings.AWS_SECRET_ACCESS_KEY,
            settings.AWS_SESSION_TOKEN or None,
        )
    try:
        facts = json.loads(QUICKSTART_FILE.read_text())
    except (OSError, ValueError):
        facts = {}
    if not facts.get("access_key"):
        raise CommandError(
            "No AWS credentials found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run "
            "manage.py quickstart in another terminal to use the AWS emulator."
        )
    settings.AWS_ENDPOINT_URL = settings.AWS_ENDPOINT_URL or facts["aws_endpoint_url"]
    return Credentials(facts["access_key"], facts["secret_key"])


def _owner(email: str | None) -> User:
    users = User.objects.filter(is_active=True)
    chosen = users.filter(email=email.lower()) if email else users.filter(role=User.Role.ADMIN)
    owner = chosen.order_by("created_at").first()
    if owner is None:
        raise CommandError(
            "There is no such active user. Run manage.py createsuperuser first, or choose a user "
            "with --user."
        )
    return owner


def _work_and_stream(session: SandboxSession, evaluation: Evaluation) -> Iterator[Line]:
    """Run the jobs in a thread, and yield their lines as they are published."""
    work = threading.Thread(target=_work, args=(session, evaluation), daemon=True)
    work.start()
    after, deadline = 0, time.monotonic() + MAX_WAIT
    while time.monotonic() < deadline:
        is_done = is_settled(evaluation.pk) and not work.is_alive()
        for line in lines_after(session.pk, after):
            after = line.seq
            yield line
        if is_done:
            return
        time.sleep(POLL_INTERVAL)


def _work(session: SandboxSession, evaluation: Evaluation) -> None:
    # If a worker has leased the rows already, these return at once.
    try:
        preflights.preflight(session_id=session.pk, now=timezone.now())
        evaluations.evaluate(evaluation_id=evaluation.pk, now=timezone.now())
    finally:
        connection.close()


def _parse_time(text: str) -> datetime:
    try:
        parsed = parse_datetime(text) or datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(
            f"{text} is not a time. Write 2021-04-20 or 2021-04-20T12:00Z."
        ) from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
