"""Redis as the broker, in such a way that a worker outlives it."""

from typing import Any

from kombu.transport import redis


class Channel(redis.Channel):
    """
    A channel that says so when its connection is gone.

    kombu's raises AttributeError then, which Celery takes for a bug: a worker that loses its broker
    while a job runs would end, now or when it acknowledges that job.
    """

    def _connparams(self, *args: Any, **options: Any) -> dict[str, Any]:
        if self.connection.client is None:
            raise ConnectionError("The connection to the broker is gone.")
        params: dict[str, Any] = super()._connparams(  # type: ignore[misc]  # stubs: no private
            *args, **options
        )
        return params


class Transport(redis.Transport):
    Channel = Channel
