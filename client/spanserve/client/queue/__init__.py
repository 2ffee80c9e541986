"""The way to workers through a queue in Redis.

tasks -> outbox --submit--> Redis --events, results--> results
            ^------- again, if there was no end for long
"""

from spanserve.client.queue.connection import QueueConnection
from spanserve.client.queue.dispatch import QueueDispatcher
from spanserve.client.queue.door import QueueDoor

__all__ = ["QueueConnection", "QueueDispatcher", "QueueDoor"]
