"""`spanserve bench`: bare devices (a command of the worker) and served models (a command of the client)."""

from __future__ import annotations

from spanserve.client.commands.bench import app as serve
from spanserve.device.commands import app as device
from spanserve.options import application

app = application(no_args_is_help=True, summary="Measure a bare device, or what workers serve.")
app.registered_commands = [*device.registered_commands, *serve.registered_commands]
