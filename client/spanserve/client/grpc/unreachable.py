"""Why a worker cannot be reached, explained helpfully; gRPC's own texts name layers of its code."""

from __future__ import annotations

import grpc
from grpc import aio

from spanserve.client.grpc.addresses import Endpoint
from spanserve.client.grpc.channel import Tls
from spanserve.client.grpc.proxy import proxy_of
from spanserve.contract.escape import escape

#: What gRPC says -> what is wrong. The first that fits; seen with grpcio 1.85.
_CAUSES = (
    ("http1.x server", "this is the port of an HTTP server, not the gRPC port of a worker"),
    ("Domain name not found", "no host has this name"),
    ("errors resolving", "the name of the host could not be looked up"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "its certificate is not signed by an authority in --tls-ca, or has expired",
    ),
    ("Hostname Verification Check failed", "its certificate is for another host name"),
    ("WRONG_VERSION_NUMBER", "it does not use TLS: try without --tls-ca"),
    ("No such file or directory", "no such socket file"),
    ("Permission denied", "no permission to open the socket file"),
    ("Connection refused", "connection refused: nothing listens there"),
    ("No route to host", "no route to the host"),
    ("Network is unreachable", "the network cannot be reached"),
)
#: What is seen where the other side hangs up in the middle of a handshake.
_HUNG_UP = ("Socket closed", "Endpoint closing", "Connection reset")
#: Characters shown of what gRPC says where it says something else.
_MAX_DETAILS = 200


def why(error: aio.AioRpcError, endpoint: Endpoint, tls: Tls) -> str:
    """Why a call to a worker has failed."""
    details = error.details() or ""
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        cause = "no answer in time"
    elif error.code() is not grpc.StatusCode.UNAVAILABLE:
        return f"{error.code().name}: {details}"  # said by the worker
    else:
        cause = _cause(details, tls)
    proxy = proxy_of(endpoint)
    return (
        f"{cause}; reached through the proxy {proxy} of the environment (no_proxy excludes hosts)"
        if proxy
        else cause
    )


def _cause(details: str, tls: Tls) -> str:
    for sign, cause in _CAUSES:
        if sign in details:
            return cause
    if any(sign in details for sign in _HUNG_UP):
        if tls.ca is None:
            return "it closed the connection at once: it may require TLS (--tls-ca)"
        return "it closed the connection in the TLS handshake: it may lack TLS, or require a certificate (--tls-cert)"
    return f"UNAVAILABLE: {escape(details.rpartition('last error: ')[2], _MAX_DETAILS)}"
