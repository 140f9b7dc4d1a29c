"""The client of Redis, made in one place."""

from redis.asyncio import Redis

CONNECT_SECONDS = 3.0


def connect_redis(url: str) -> "Redis":
    """Return a client; it connects when it is first used.

    The driver's own time limit for sockets is off: on Python 3.11 it can lose a cancellation that arrives
    while a command is written, and the task would never end. Whoever asks sets a deadline around it.
    """
    return Redis.from_url(
        url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=None, health_check_interval=30
    )
