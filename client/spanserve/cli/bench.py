"""`spanserve bench`: bare devices, which are the worker's, and what is served, which is the client's."""

from __future__ import annotations

from spanserve.client.commands.bench import app as serve
from spanserve.device.commands import app as device
from spanserve.options import application

app = application(no_args_is_help=True, summary="Measure a bare device, or what workers serve.")
app.registered_commands = [*device.registered_commands, *serve.registered_commands]
