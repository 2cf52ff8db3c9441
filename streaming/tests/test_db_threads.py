import asyncio
import time

import pytest
from django.db import connection, connections

from streaming.db_threads import in_thread


async def test_queries_do_not_wait_for_each_other():
    started = time.monotonic()

    await asyncio.gather(*(in_thread(time.sleep)(0.3) for _ in range(4)))

    assert time.monotonic() - started < 0.9


@pytest.mark.django_db(transaction=True)
async def test_the_connection_is_given_back():
    @in_thread
    def query():
        connection.ensure_connection()
        return connection.connection, connections["default"]

    raw, wrapper = await query()

    assert raw is not None
    assert wrapper.connection is None
