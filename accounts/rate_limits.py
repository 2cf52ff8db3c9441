"""Django's caches, which also count: how often within a time, in one step."""

import time
from functools import cache as remembered
from threading import Lock
from typing import Any, NamedTuple

from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis import Redis


class Hits(NamedTuple):
    so_far: int
    ends_in: float  # [s] then it begins anew


def hit(key: str, period: int) -> Hits:
    """
    Count one more within ``period`` seconds, which begin with the first one.

    :raises redis.exceptions.RedisError: Redis is away
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


@remembered
def _redis(url: str, **options: Any) -> Redis:
    """One client for the process: Django's cache makes one, with a connection, in each thread."""
    return Redis.from_url(url, **options)
