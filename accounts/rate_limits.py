"""Atomic counters with a time window, on Django's cache backends."""

import time
from functools import cache as cached_function
from threading import Lock
from typing import Any, NamedTuple

from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis import Redis


class Hits(NamedTuple):
    so_far: int
    ends_in: float  # [s] until the window ends


def hit(key: str, period: int) -> Hits:
    """
    Count one hit in a window of ``period`` seconds that begins with its first hit.

    :raises redis.exceptions.RedisError: Redis is unavailable
    """
    counter: Any = cache
    hits: Hits = counter.hit(key, period)
    return hits


class CountingRedis(RedisCache):
    _servers: list[str]
    _options: dict[str, Any]
    HIT = """
        local count = redis.call('INCR', KEYS[1])
        if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
        return {count, redis.call('PTTL', KEYS[1])}
    """

    def hit(self, key: str, period: int) -> Hits:
        redis = _redis(self._servers[0], **self._options)
        found: Any = redis.eval(self.HIT, 1, self.make_key(key), period)
        return Hits(found[0], found[1] / 1000)


class CountingMemory(LocMemCache):
    _counting = Lock()

    def hit(self, key: str, period: int) -> Hits:
        now = time.time()
        with self._counting:
            count, ends = self.get(key, (0, now + period))
            self.set(key, (count + 1, ends), ends - now)
        return Hits(count + 1, ends - now)


@cached_function
def _redis(url: str, **options: Any) -> Redis:
    """Return the process's client: Django's cache creates one, with a connection, per thread."""
    return Redis.from_url(url, **options)
