"""The rules for sessions at their limits: number, expiry, credentials, clean-up, signals."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from accounts.testing import a_user, signed_in
from lab.testing import a_challenger
from sandbox import queries, services, sweeps, tasks, vault
from sandbox.cleanup import jobs as cleanup
from sandbox.models import Evaluation, SandboxSession
from sandbox.session_limit import ActiveSessionLimit
from sandbox.testing import a_session, an_evaluation
from spot_optimizer.aws.client.credentials import Credentials
from spot_optimizer.celery import app
from spot_optimizer.errors import Invalid
from streaming.models import Line

pytestmark = pytest.mark.django_db
NOW = timezone.now()
INSTANT = timedelta(microseconds=1)
LOCK = " FOR NO KEY UPDATE"


@pytest.fixture
def lock_statements(monkeypatch):
    """
    Collect the statements that lock rows, in order with those that count rows.

    SQLite has no row locks, so Django leaves the clause out there. Here it is compiled as for
    PostgreSQL, and removed before SQLite executes the statement.
    """
    statements = []

    def execute(execute, sql, params, many, context):
        if LOCK in sql or "COUNT(" in sql:
            statements.append(sql)
        if connection.vendor == "sqlite":
            sql = sql.replace(LOCK, "")
        return execute(sql, params, many, context)

    monkeypatch.setattr(connection.features, "has_select_for_update", True)
    monkeypatch.setattr(connection.features, "has_select_for_no_key_update", True)
    with connection.execute_wrapper(execute):
        yield statements


def end_lines(session):
    return Line.objects.filter(stream=session.pk, type="session_ended")


def state_of(session):
    return SandboxSession.objects.get(pk=session.pk).state


class TestLocks:
    def test_opening_a_session_locks_the_user_before_it_counts(self, lock_statements):
        user = a_user()
        lock_statements.clear()

        a_session(user=user)

        assert LOCK in lock_statements[0]
        assert '"accounts_user"' in lock_statements[0]
        assert "COUNT(" in lock_statements[1]

    def test_requesting_an_evaluation_locks_the_session(self, lock_statements):
        session = a_session()
        lock_statements.clear()

        an_evaluation(session)

        assert LOCK in lock_statements[0]
        assert '"sandbox_sandboxsession"' in lock_statements[0]


class TestLimit:
    def test_counts_the_users_own_sessions_only(self):
        user, other = a_user(), a_user()
        for _ in range(5):
            a_session(user=other)

        for _ in range(5):
            a_session(user=user)
        with pytest.raises(ActiveSessionLimit):
            a_session(user=user)

    def test_counts_no_session_at_the_instant_of_its_expiry(self):
        user = a_user()
        sessions = [a_session(user=user, now=NOW) for _ in range(5)]

        with pytest.raises(ActiveSessionLimit):
            a_session(user=user, now=sessions[0].expires_at - INSTANT)
        a_session(user=user, now=sessions[0].expires_at)


class TestCredentials:
    def test_may_expire_exactly_when_the_clean_up_must_have_ended(self):
        expire_at = NOW + timedelta(minutes=30) + services.CLEAN_UP_MARGIN

        def open_with(credentials_expire_at):
            return services.open_session(
                user=a_user(),
                credentials=Credentials("AKIAPLANTEDKEYOFNOBODY", "secret"),
                credentials_expire_at=credentials_expire_at,
                ttl_minutes=30,
                now=NOW,
                instance_id="i-1",
                instance_type="m5.large",
                availability_zone="us-east-1a",
                aws_region="us-east-1",
            )

        assert open_with(expire_at).pk
        with pytest.raises(Invalid):
            open_with(expire_at - INSTANT)

    def test_that_are_erased_during_a_rotation_stay_erased(self, monkeypatch):
        session = a_session()
        reseal = vault.reseal

        def erase_meanwhile(session):
            resealed = reseal(session)
            SandboxSession.objects.filter(pk=session.pk).update(sealed_credentials=None)
            return resealed

        monkeypatch.setattr(vault, "reseal", erase_meanwhile)

        assert services.reseal_credentials() == 0
        session.refresh_from_db()
        assert session.sealed_credentials is None


class TestExpiry:
    def test_is_at_the_exact_instant(self):
        session = a_session()
        before = session.expires_at - INSTANT

        assert session.is_active(at=before)
        assert not session.is_active(at=session.expires_at)
        assert SandboxSession.objects.active(at=before).count() == 1
        assert SandboxSession.objects.active(at=session.expires_at).count() == 0
        assert SandboxSession.objects.overdue(at=before).count() == 0
        assert SandboxSession.objects.overdue(at=session.expires_at).count() == 1

    def test_refuses_evaluations_at_the_exact_instant(self):
        session = a_session()

        with pytest.raises(services.SessionExpired):
            services.request_evaluation(session=session, now=session.expires_at)
        assert services.request_evaluation(session=session, now=session.expires_at - INSTANT)

    def test_is_not_before_its_instant(self):
        session = a_session()

        cleanup.expire(session_id=session.pk, now=session.expires_at - INSTANT)
        before = state_of(session)
        cleanup.expire(session_id=session.pk, now=session.expires_at)

        assert (before, state_of(session)) == ("active", "ended")
        assert end_lines(session).get().body == {"reason": "expired"}

    def test_is_enqueued_by_the_sweep_before_it(self):
        session = a_session()
        at = session.expires_at - sweeps.SWEEP_EVERY

        assert sweeps.pending_work(now=at - INSTANT).expiries == []
        assert sweeps.pending_work(now=at).expiries == [(session.pk, session.expires_at)]


class TestCleanUp:
    @pytest.mark.parametrize("state", ["expired", "ending", "cleanup_failed"])
    def test_is_resumed_by_the_sweep(self, state):
        session = a_session()
        SandboxSession.objects.update(state=state)

        sweeps.cleanup_expired_sessions(now=timezone.now())

        assert state_of(session) == "ended"

    def test_does_nothing_while_another_run_holds_the_lease(self):
        session = a_session()
        services.end_session(session=session, now=NOW)
        # The lease that a run started at the same instant holds.
        SandboxSession.objects.update(cleanup_leased_until=NOW + cleanup.LEASE)

        cleanup.clean_up(session_id=session.pk, now=NOW)

        assert state_of(session) == "ending"
        cleanup.clean_up(session_id=session.pk, now=NOW + cleanup.LEASE)
        assert state_of(session) == "ended"

    def test_ends_nothing_after_its_lease_is_lost(self):
        session = a_session()
        services.end_session(session=session, now=NOW)
        SandboxSession.objects.update(cleanup_leased_until=NOW + timedelta(hours=1))

        cleanup._clean_up(session.pk, NOW + cleanup.LEASE, NOW)

        assert state_of(session) == "ending"
        assert not end_lines(session).exists()

    def test_releases_the_lease_of_a_run_about_to_be_stopped(self):
        session = a_session()
        services.end_session(session=session, now=NOW)
        SandboxSession.objects.update(cleanup_leased_until=NOW + timedelta(hours=1))

        cleanup.release_lease(session_id=str(session.pk))

        session.refresh_from_db()
        assert session.cleanup_leased_until is None

    def test_is_enqueued_once(self, django_capture_on_commit_callbacks):
        session = a_session()

        with django_capture_on_commit_callbacks() as first:
            services.end_session(session=session, now=NOW)
        with django_capture_on_commit_callbacks() as second:
            services.end_session(session=session, now=NOW)

        assert first
        assert not second


class TestEvaluationRequests:
    def test_with_different_models_are_different(self):
        session, model = a_session(), a_challenger()

        first = services.request_evaluation(session=session, now=timezone.now())
        second = services.request_evaluation(session=session, model=model, now=timezone.now())

        assert first.pk != second.pk

    def test_are_enqueued_again_at_the_instant_at_which_the_lease_ends(
        self, django_capture_on_commit_callbacks
    ):
        session = a_session()
        an_evaluation(session)
        lease_end = NOW + timedelta(minutes=2)
        Evaluation.objects.update(leased_until=lease_end)

        with django_capture_on_commit_callbacks() as before:
            services.request_evaluation(session=session, now=lease_end - INSTANT)
        with django_capture_on_commit_callbacks() as at_the_end:
            services.request_evaluation(session=session, now=lease_end)

        assert (len(before), len(at_the_end)) == (0, 1)

    def test_are_enqueued_by_the_sweep_once_they_are_old_enough(self):
        evaluation = an_evaluation()
        at = evaluation.created_at + sweeps.ENQUEUED_FOR

        def found(now):
            return sweeps.pending_work(now=now, older_than=sweeps.ENQUEUED_FOR).evaluations

        assert found(at - INSTANT) == []
        assert found(at) == [(evaluation.pk, at)]

    def test_cannot_be_read_through_another_session(self):
        user = a_user()
        mine, other = a_session(user=user), a_session(user=user)
        evaluation = an_evaluation(other)
        path = "/api/v1/sandbox/sessions/{}/evaluations/{}"

        statuses = [
            signed_in(user).get(path.format(session.pk, evaluation.pk)).status_code
            for session in (mine, other)
        ]

        assert statuses == [404, 200]


class Request:
    """A task that a worker is executing."""

    def __init__(self, name, **kwargs) -> None:
        self.name, self.kwargs = name, kwargs


class TestStoppingWorker:
    def test_releases_its_leases_and_enqueues_its_tasks_again(self, monkeypatch):
        evaluation = an_evaluation()
        later = timezone.now() + timedelta(minutes=2)
        Evaluation.objects.update(leased_until=later)
        running = [
            Request("sandbox.evaluate", evaluation_id=str(evaluation.pk)),
            Request("sandbox.refresh_market"),
        ]
        sent = []
        monkeypatch.setattr(tasks, "active_requests", running)
        monkeypatch.setattr(app, "send_task", lambda name, kwargs: sent.append((name, kwargs)))

        tasks.requeue_running()

        evaluation.refresh_from_db()
        assert evaluation.leased_until is None
        assert sent == [(request.name, request.kwargs) for request in running]


def receive(session, *, kind="REBALANCE", event_id=None, at=NOW, **fields):
    services.receive_signal(
        event_id=event_id or str(uuid4()),
        kind=kind,
        at=at,
        now=NOW,
        **{
            "instance_id": session.instance_id,
            "aws_account": "123456789012",
            "aws_region": session.aws_region,
        }
        | fields,
    )


class TestSignals:
    @pytest.mark.parametrize(
        ("kind", "lifetime"),
        [("TERMINATION", timedelta(minutes=10)), ("REBALANCE", timedelta(hours=9))],
    )
    def test_lapse_at_the_end_of_their_lifetime(self, kind, lifetime):
        session = a_session()
        receive(session, kind=kind)

        def signal(now):
            return queries.received_signal(instance_id=session.instance_id, now=now)

        assert signal(NOW + lifetime - INSTANT) == kind
        assert signal(NOW + lifetime) == "NONE"

    def test_of_an_interruption_replace_a_rebalance_recommendation(self):
        session = a_session()
        receive(session, kind="TERMINATION", at=NOW - timedelta(minutes=1))
        receive(session, kind="REBALANCE")

        assert queries.received_signal(instance_id=session.instance_id, now=NOW) == "TERMINATION"

    def test_of_another_instance_do_not_count(self):
        session = a_session()
        receive(session, instance_id="i-0other")

        assert queries.received_signal(instance_id=session.instance_id, now=NOW) == "NONE"

    @pytest.mark.parametrize(
        "fields", [{"aws_account": "999999999999"}, {"aws_region": "eu-west-1"}]
    )
    def test_are_published_only_to_sessions_of_their_account_and_region(self, fields):
        session = a_session()
        SandboxSession.objects.update(aws_account="123456789012")
        before = Line.objects.count()

        receive(session, **fields)
        of_others = Line.objects.count() - before
        receive(session)

        assert (of_others, Line.objects.count() - before) == (0, 1)

    def test_received_twice_are_published_once(self):
        session = a_session()
        SandboxSession.objects.update(aws_account="123456789012")
        before = Line.objects.count()

        for _ in range(2):
            receive(session, event_id="7bf73129")

        assert Line.objects.count() - before == 1

    def test_are_refused_while_no_secret_is_configured(self, client, settings):
        settings.EVENTBRIDGE_SECRET = ""

        response = client.post(
            "/api/v1/signals/eventbridge",
            {},
            content_type="application/json",
            headers={"X-Spot-Optimizer-Secret": ""},
        )

        assert response.status_code == 401
