"""`spanserve queue`: look after a queue in Redis. Importing a module here adds its commands to `app`."""

from spanserve.client.commands.queue import configure, letters, status, tasks
from spanserve.client.commands.queue.place import app

__all__ = ["app", "configure", "letters", "status", "tasks"]
