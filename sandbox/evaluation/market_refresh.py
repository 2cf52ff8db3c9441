"""Keeps the market of the regions in use fresh, with the credentials of a session that is there."""

import logging
from collections.abc import Iterator
from datetime import datetime

from sandbox import vault
from sandbox.models import SandboxSession
from spot_optimizer.aws.clients import AwsAccess
from spot_optimizer.aws.deadline import Deadline
from spot_optimizer.aws.products import PRODUCTS
from spot_optimizer.errors import DomainError
from spot_optimizer.market.jobs import refresh_region
from spot_optimizer.market.models import WatchedType

logger = logging.getLogger(__name__)

TIME_LIMIT = 120.0  # [s] for one region and product


def refresh_market(*, now: datetime) -> int:
    """Refresh what evaluations look at in the regions in use; return how many refreshes worked."""
    in_use = SandboxSession.objects.active(at=now).values("aws_region")
    watched = WatchedType.objects.filter(region__in=in_use).order_by("region", "product")
    refreshed = 0
    for region, name in watched.values_list("region", "product").distinct():
        product = next(each for each in PRODUCTS if each.description == name)
        try:
            deadline = Deadline.after(TIME_LIMIT)
            done = refresh_region(
                _accesses(region, now), product=product, deadline=deadline, now=now
            )
        except DomainError as refusal:
            logger.warning("the market of %s is not refreshed: %s", region, refusal)
            continue
        except Exception:
            logger.exception("the market of %s could not be refreshed", region)
            continue
        refreshed += done is not None
    return refreshed


def _accesses(region: str, now: datetime) -> Iterator[AwsAccess]:
    """Yield what a live session of the region lets us in with, the newest first."""
    for session in SandboxSession.objects.active(at=now).filter(aws_region=region):
        try:
            yield AwsAccess(vault.unseal(session), region)
        except DomainError as refusal:
            logger.warning("session %s cannot refresh the market: %s", session.pk, refusal)
