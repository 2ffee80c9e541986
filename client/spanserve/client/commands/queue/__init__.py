"""`spanserve queue`: manage a queue in Redis. Importing a module here adds its commands to `app`."""

from spanserve.client.commands.queue import configure, dead_letters, status, tasks, users
from spanserve.client.commands.queue.access import app

__all__ = ["app", "configure", "dead_letters", "status", "tasks", "users"]
