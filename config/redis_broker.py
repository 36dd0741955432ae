"""Celery's broker on Redis: what a worker took and did not begin dies with its connection.

kombu puts such messages back when a channel closes. After a loss of Redis that happens on a connection that is gone by
then: it raises what Celery does not expect, and the worker ends. Nothing needs to be put back: a message is a doorbell.
"""

from kombu.transport import redis


class Channel(redis.Channel):
    """See the module."""

    do_restore = False


class Transport(redis.Transport):
    """`BROKER_URL=redis://`."""

    Channel = Channel
