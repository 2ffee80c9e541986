"""The HTTP proxy between us and a worker, as gRPC takes it from the environment."""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

from spanserve.client.grpc.addresses import Endpoint

#: Variables that gRPC looks at, in its order; it knows them in small letters only.
VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy")


def proxy_of(endpoint: Endpoint) -> str:
    """HOST:PORT of the proxy that a connection goes through; empty if it goes straight.

    What runs on this machine is never reached through one. `no_proxy` and `NO_PROXY` count for names and for numbers:
    gRPC itself sees the number that a name stands for, and knows the variable in small letters only.
    """
    host = endpoint.address.rpartition(":")[0].strip("[]")
    if endpoint.address.startswith("unix:") or _is_loopback(host):
        return ""
    if any(proxy_bypass(name) for name in (host, endpoint.server_name) if name):
        return ""
    url = next((os.environ[name] for name in VARIABLES if os.environ.get(name)), "")
    return urlsplit(url).netloc.rpartition("@")[2]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
