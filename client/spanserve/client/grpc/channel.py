"""Connections to workers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from grpc import aio

from spanserve.access import Token
from spanserve.client.errors import ClientError
from spanserve.client.grpc.addresses import Endpoint
from spanserve.client.grpc.proxy import proxy_of
from spanserve.client.own_process import use_grpc
from spanserve.contract.limits import MAX_MESSAGE_BYTES
from spanserve.v1.worker_pb2_grpc import QuestionAnsweringStub

if TYPE_CHECKING:
    from spanserve.v1.worker_pb2_grpc import QuestionAnsweringAsyncStub

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.ping_timeout_ms", 20_000),  # a minute by default, whatever the keepalive says
    ("grpc.keepalive_permit_without_calls", 1),
    # Reconnecting is ours to time, with jitter: the library must not wait longer than we do.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


#: How a worker says that it denies access.
DENIED = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


@dataclass(frozen=True, slots=True)
class Tls:
    """Files of a TLS connection; all absent: plaintext.

    Attributes:
        ca: certificates that the worker's must be signed by.
        cert, key: what this client shows, where workers ask for it.
        server_name: what their certificates must name, where that is not the host in the address.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    server_name: str = ""


PLAINTEXT = Tls()


#: What a call shows besides its request.
Shown = tuple[tuple[str, str], ...]


def shown(token: Token | None) -> Shown:
    """The metadata of a call that shows a token.

    Raises:
        AccessError: it cannot be read.
    """
    return () if token is None else (("authorization", f"Bearer {token.show()}"),)


def open_channel(endpoint: Endpoint, tls: Tls, token: Token | None = None) -> aio.Channel:
    """A channel to one worker; connects when first used.

    Args:
        token: that its calls will show.

    Raises:
        Forked: this process was forked from one that used gRPC.
        ClientError: a TLS file cannot be read, certificate and key do not come together, or a token would be shown
            in plaintext.
    """
    use_grpc()
    if token is not None and tls.ca is None and not endpoint.address.startswith("unix:"):
        raise ClientError(
            f"worker {endpoint}: a token is sent only over TLS (--tls-ca) or a socket file (unix:PATH)"
        )
    options: list[tuple[str, int | str]] = [*_OPTIONS]
    server_name = tls.server_name or endpoint.server_name
    if server_name:
        options.append(("grpc.default_authority", server_name))
    if not proxy_of(endpoint):
        options.append(("grpc.enable_http_proxy", 0))
    if tls.ca is None:
        return aio.insecure_channel(endpoint.address, options=options)
    if (tls.cert is None) != (tls.key is None):
        raise ClientError("a client certificate and its key go together")
    credentials = grpc.ssl_channel_credentials(
        _read(tls.ca), _read(tls.key) if tls.key else None, _read(tls.cert) if tls.cert else None
    )
    if server_name:
        options.append(("grpc.ssl_target_name_override", server_name))
    return aio.secure_channel(endpoint.address, credentials, options=options)


def stub_of(channel: aio.Channel) -> QuestionAnsweringAsyncStub:
    """The generated stub, typed for asyncio."""
    return QuestionAnsweringStub(channel)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ClientError(f"cannot read {path}: {error.strerror}") from None
