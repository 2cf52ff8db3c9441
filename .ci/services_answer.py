"""Exit 0 if PostgreSQL and Redis answer at the two URLs."""

import sys

import psycopg
import redis


def main(postgres_url: str, redis_url: str) -> int:
    server, _, _ = postgres_url.rpartition("/")
    try:
        psycopg.connect(f"{server}/postgres", connect_timeout=3).close()
        redis.from_url(redis_url, socket_connect_timeout=3).ping()
    except (psycopg.Error, redis.RedisError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
