"""The transport to workers through a queue in Redis.

tasks -> outbox --submit--> Redis --events, results--> results
            ^------- again, if there was no end for long
"""

from spanserve.client.redis.connection import QueueConnection
from spanserve.client.redis.dispatch import QueueDispatcher
from spanserve.client.redis.transport import RedisTransport

__all__ = ["QueueConnection", "QueueDispatcher", "RedisTransport"]
