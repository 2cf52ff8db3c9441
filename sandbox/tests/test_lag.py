"""The metrics of connected clients and of the delay of their lines."""

import pytest
from asgiref.sync import sync_to_async
from prometheus_client import REGISTRY

from sandbox.testing import a_session
from sandbox.tests.websocket_client import publish_lines, watcher_of
from streaming.publish import log


def measured(name):
    return REGISTRY.get_sample_value(f"spot_optimizer_{name}")


@pytest.mark.django_db(transaction=True)
async def test_counts_clients_and_the_lag_of_new_lines_but_not_of_old_ones():
    session = await sync_to_async(a_session)()
    watchers, lines = measured("watchers"), measured("stream_lag_seconds_count")
    lag = measured("stream_lag_seconds_sum")

    async with watcher_of(session.pk, "after=0") as watcher:
        await watcher.receive_json_from(5)
        await watcher.receive_json_from(5)
        counted = measured("watchers"), measured("stream_lag_seconds_count")
        await publish_lines(session.pk, log("SYSTEM", "new line"))
        await watcher.receive_json_from(5)

    assert counted == (watchers + 1, lines)
    assert measured("watchers") == watchers
    assert measured("stream_lag_seconds_count") == lines + 1
    assert 0 <= measured("stream_lag_seconds_sum") - lag < 60
