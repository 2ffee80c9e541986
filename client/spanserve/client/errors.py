"""Why the client cannot continue, explained to people.

ClientError
├── NoWorker       no worker could be reached in time
│   ├── AccessDenied no worker lets the client in with what it shows
│   └── OtherModel all workers serve a different model from the one that the run began with
├── Forked         a client was used in a child of the process that made it
├── AddressError   the address of a worker is not one that can be used
├── LedgerError    a ledger is in use, damaged, or belongs to another run
├── MergeError     shards do not add up to one run
├── PredictionsError predictions of others cannot be read
├── MetricError    there is no such metric, or it needs a package
└── OutputError    the output folder cannot be written
"""

from __future__ import annotations

from spanserve.contract.errors import SpanserveError


class ClientError(SpanserveError):
    """The client cannot go on. What concerns one question is a `Refusal` instead."""


#: The error of a client that was closed.
CLOSED = "this client is closed: make another one"


class NoWorker(ClientError):
    """No worker could be reached for as long as the client was willing to wait."""


class AccessDenied(NoWorker):
    """No worker lets the client in with the token or certificate it shows, or without one. Says what each requires."""


class OtherModel(NoWorker):
    """All workers serve a different model from the one that a run began with."""


class Forked(ClientError):
    """A client, or gRPC, was used in a child of the process that made it. Says what to do instead."""


class AddressError(ClientError):
    """The address of a worker is not one that can be used. Names it, and the forms that can."""


class LedgerError(ClientError):
    """A ledger is in use, damaged, or belongs to another run. Names the file and the field."""


class MergeError(ClientError):
    """Output folders are not the shards of one run. Names the folder, or the shard that is missing."""


class PredictionsError(ClientError):
    """Predictions of another program cannot be read. Names the file, the place in it, what was found and expected."""


class MetricError(ClientError):
    """There is no such metric, or it needs a package that is missing. Names those there are, or the package."""


class OutputError(ClientError):
    """A file of the output cannot be written. Names it and why; the ledger keeps what was answered."""
