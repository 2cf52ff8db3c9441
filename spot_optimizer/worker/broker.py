"""Redis as the broker, so that a worker survives a lost connection."""

from typing import Any

from kombu.transport import redis


class Channel(redis.Channel):
    """
    A channel that raises ConnectionError when its connection is closed.

    kombu raises AttributeError, which Celery does not treat as a lost connection: a worker that
    loses the broker during a job would exit, then or when it acknowledges the job.
    """

    def _connparams(self, *args: Any, **options: Any) -> dict[str, Any]:
        if self.connection.client is None:
            raise ConnectionError("The connection to the broker is closed.")
        params: dict[str, Any] = super()._connparams(  # type: ignore[misc]  # not in the stubs
            *args, **options
        )
        return params


class Transport(redis.Transport):
    Channel = Channel
