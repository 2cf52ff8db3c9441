"""Refreshes the market of the regions in use, with the credentials of an active session."""

import logging
from collections.abc import Iterator
from datetime import datetime

from sandbox import vault
from sandbox.models import SandboxSession
from spot_optimizer.aws.client.access import AwsAccess
from spot_optimizer.aws.client.deadline import Deadline
from spot_optimizer.aws.products import PRODUCTS
from spot_optimizer.errors import DomainError
from spot_optimizer.market.jobs import refresh_region
from spot_optimizer.market.models import WatchedType

logger = logging.getLogger(__name__)

TIME_LIMIT = 120.0  # [s] for one region and product


def refresh_market(*, now: datetime) -> int:
    """Refresh the types that evaluations watch, by region; return how many refreshes succeeded."""
    in_use = SandboxSession.objects.active(at=now).values("aws_region")
    watched = WatchedType.objects.filter(region__in=in_use).order_by("region", "product")
    pairs = watched.values_list("region", "product").distinct()
    return sum(_refresh(region, product, now) for region, product in pairs)


def _refresh(region: str, name: str, now: datetime) -> bool:
    product = next(product for product in PRODUCTS if product.description == name)
    deadline = Deadline.after(TIME_LIMIT)
    try:
        accesses = _accesses(region, now)
        return refresh_region(accesses, product=product, deadline=deadline, now=now) is not None
    except DomainError as error:
        logger.warning("the market of %s was not refreshed: %s", region, error)
    except Exception:
        logger.exception("the market of %s could not be refreshed", region)
    return False


def _accesses(region: str, now: datetime) -> Iterator[AwsAccess]:
    """Yield access to the region with each active session's credentials, the newest first."""
    for session in SandboxSession.objects.active(at=now).filter(aws_region=region):
        try:
            yield AwsAccess(vault.unseal(session), region)
        except DomainError as error:
            logger.warning("session %s cannot refresh the market: %s", session.pk, error)
