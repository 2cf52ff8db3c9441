"""The one way in which background work is claimed: a lease on a database row."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar, Self, TypeVar

from django.db import InterfaceError, OperationalError, close_old_connections, models
from django.db.models import Q

Row = TypeVar("Row", bound=models.Model)


class LeasedQuerySet(models.QuerySet[Row]):
    """
    Rows that are work for one run at a time.

    A run leases a row for longer than its own deadline, and writes its results only while the row
    still has that lease. ``leased_until`` identifies the run: a lease can be taken
    only by a conditional UPDATE, so no two runs hold the same one.
    """

    lease_field: ClassVar[str] = "leased_until"

    def pending(self) -> Self:
        """Return the rows whose work is not finished."""
        raise NotImplementedError

    def available(self, *, at: datetime) -> Self:
        """Return the pending rows that no run holds; a lease ends at its ``leased_until``."""
        ended = Q(**{f"{self.lease_field}__lte": at})
        return self.pending().filter(Q(**{self.lease_field: None}) | ended)

    def leased(self, *, until: datetime) -> Self:
        """Return the pending rows that the run with this lease holds."""
        return self.pending().filter(**{self.lease_field: until})

    def lease(self, *, until: datetime, now: datetime) -> bool:
        """Lease the available rows; return whether there were any."""
        return bool(self.available(at=now).update(**{self.lease_field: until}))

    def settle(self, *, leased_until: datetime, **result: Any) -> bool:
        """Write the result if the lease is still held; return whether it was."""
        return bool(self.leased(until=leased_until).update(**result))

    def release(self, *, leased_until: datetime) -> None:
        """End the holder's own lease early, so that the next run need not wait for its end."""
        self.leased(until=leased_until).update(**{self.lease_field: None})

    def revoke_leases(self) -> None:
        """End all leases, of runs that have stopped or are about to; they can no longer write."""
        self.pending().update(**{self.lease_field: None})

    @contextmanager
    def released_on_database_error(self, *, leased_until: datetime) -> Iterator[None]:
        """Release the lease if the block loses the database connection, and raise the error."""
        try:
            yield
        except (OperationalError, InterfaceError):
            close_old_connections()
            self.release(leased_until=leased_until)
            raise
