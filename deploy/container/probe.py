"""Ask a worker for its gRPC health, for places that have no gRPC probe of their own or need TLS.

  probe.py [ADDRESS [SERVICE]]     127.0.0.1:50051, and "" which is whether it serves; `live` is whether it moves

ADDRESS is HOST:PORT or unix:PATH. No token is needed: this is open on every listener.
With PROBE_CA (the authority of the worker's certificate, PEM) it speaks TLS to the name localhost, and
shows SPANSERVE_TLS_CERT with its key where the worker asks for a certificate.
Exit status: 0 SERVING, 1 not, or no answer within 3 seconds.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

TIMEOUT_S = 3.0


def channel(address: str) -> grpc.Channel:
    authority = os.environ.get("PROBE_CA")
    if not authority:
        return grpc.insecure_channel(address)
    ours = [os.environ.get(name) for name in ("SPANSERVE_TLS_KEY", "SPANSERVE_TLS_CERT")]
    key, cert = (Path(path).read_bytes() if path else None for path in ours)
    credentials = grpc.ssl_channel_credentials(Path(authority).read_bytes(), key, cert)
    return grpc.secure_channel(address, credentials, [("grpc.ssl_target_name_override", "localhost")])


def main(address: str = "127.0.0.1:50051", service: str = "") -> int:
    request = health_pb2.HealthCheckRequest(service=service)
    with channel(address) as wire:
        try:
            reply = health_pb2_grpc.HealthStub(wire).Check(request, timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            sys.stderr.write(f"{address}: {error.code().name}\n")
            return 1
    return 0 if reply.status == health_pb2.HealthCheckResponse.SERVING else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
