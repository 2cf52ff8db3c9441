"""The lease of background work, the same for evaluations, preflights and clean-ups."""

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from sandbox import services, sweeps
from sandbox.models import Evaluation, SandboxSession
from sandbox.testing import a_session, an_evaluation

pytestmark = pytest.mark.django_db
NOW = timezone.now()
END = NOW + timedelta(minutes=2)
LATER = NOW + timedelta(minutes=4)
INSTANT = timedelta(microseconds=1)


def an_ending_session():
    session = a_session()
    return services.end_session(session=session, now=timezone.now())


# For each kind of work: one pending row, and a result that leaves it pending.
KINDS = {
    "evaluation": (
        lambda: Evaluation.objects.filter(pk=an_evaluation().pk),
        {"published_steps": ["aws"]},
    ),
    "preflight": (
        lambda: SandboxSession.preflights.filter(pk=a_session().pk),
        {"aws_account": "123456789012"},
    ),
    "cleanup": (
        lambda: SandboxSession.cleanups.filter(pk=an_ending_session().pk),
        {"aws_account": "123456789012"},
    ),
}


@pytest.fixture(params=list(KINDS))
def kind(request):
    return request.param


@pytest.fixture
def rows(kind):
    make_rows, _ = KINDS[kind]
    return make_rows()


@pytest.fixture
def result(kind):
    _, result = KINDS[kind]
    return result


class TestLease:
    def test_is_refused_until_the_lease_before_it_ends(self, rows):
        assert rows.lease(until=END, now=NOW)

        assert not rows.lease(until=LATER, now=NOW)
        assert not rows.lease(until=LATER, now=END - INSTANT)

    def test_is_given_at_the_instant_at_which_the_lease_before_it_ends(self, rows):
        rows.lease(until=END, now=NOW)

        assert rows.lease(until=LATER, now=END)

    def test_is_refused_for_settled_work(self):
        evaluation = an_evaluation()
        rows = Evaluation.objects.filter(pk=evaluation.pk)
        rows.update(state="failed", error={}, settled_at=NOW)

        assert not rows.lease(until=END, now=NOW)


class TestSettle:
    def test_writes_for_the_holder(self, rows, result):
        rows.lease(until=END, now=NOW)

        assert rows.settle(leased_until=END, **result)
        assert rows.filter(**result).exists()

    def test_writes_nothing_for_a_run_that_lost_its_lease(self, rows, result):
        rows.lease(until=END, now=NOW)
        rows.lease(until=LATER, now=END)

        assert not rows.settle(leased_until=END, **result)
        assert not rows.filter(**result).exists()

    def test_writes_only_once(self):
        rows = Evaluation.objects.filter(pk=an_evaluation().pk)
        rows.lease(until=END, now=NOW)
        failed = {"state": "failed", "settled_at": NOW}

        assert rows.settle(leased_until=END, error={"code": "first"}, **failed)
        assert not rows.settle(leased_until=END, error={"code": "second"}, **failed)


class TestRelease:
    def test_makes_the_row_available_at_once(self, rows):
        rows.lease(until=END, now=NOW)

        rows.release(leased_until=END)

        assert rows.available(at=NOW).exists()

    def test_leaves_the_lease_of_another_run(self, rows):
        rows.lease(until=LATER, now=NOW)

        rows.release(leased_until=END)

        assert not rows.available(at=NOW).exists()

    def test_does_not_happen_for_other_errors(self, rows):
        rows.lease(until=END, now=NOW)

        with pytest.raises(ValueError), rows.released_on_database_error(leased_until=END):  # noqa: PT011
            raise ValueError

        assert not rows.available(at=NOW).exists()


def test_the_only_process_revokes_all_leases_when_it_starts(rows):
    rows.lease(until=END, now=NOW)

    sweeps.revoke_all_leases()

    assert rows.available(at=NOW).exists()


@pytest.mark.django_db(transaction=True)  # the connection is closed after an error
def test_a_run_that_lost_the_database_releases_its_lease(rows):
    rows.lease(until=END, now=NOW)

    with (
        pytest.raises(OperationalError),
        rows.released_on_database_error(leased_until=END),
    ):
        raise OperationalError

    assert rows.available(at=NOW).exists()
