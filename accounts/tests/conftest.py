from collections.abc import Iterator

import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def fresh_counts() -> Iterator[None]:
    """Reset the rate limits before each test."""
    cache.clear()
    yield
    cache.clear()
