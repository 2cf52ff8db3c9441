"""Builders and small helpers of these tests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from spot_optimizer.emulator.market.price_model import Pool


def a_pool(instance_type: str = "m5.large", *, region: str = "us-east-1", zone: int = 1) -> Pool:
    return Pool(region, f"az{zone}", instance_type, "Linux/UNIX", 0.96, 0.0)


def some_pools(count: int) -> list[Pool]:
    """Pools of ten sizes in three zones, in as many families as needed."""
    return [a_pool(f"f{i // 30}.s{i // 3 % 10}", zone=i % 3 + 1) for i in range(count)]


@contextmanager
def refused(code: str, status: int | None = None) -> Iterator[None]:
    """Check that the block raises this error code, with this HTTP status."""
    with pytest.raises(ClientError) as caught:
        yield
    response = caught.value.response
    assert response["Error"]["Code"] == code
    assert status in (None, response["ResponseMetadata"]["HTTPStatusCode"])


def all_of(client: Any, operation: str, key: str, **parameters: Any) -> list[Any]:
    """Return the items under ``key`` of all pages of an operation."""
    pages = client.get_paginator(operation).paginate(**parameters)
    return [item for page in pages for item in page[key]]


Paged = Callable[..., list[Any]]
