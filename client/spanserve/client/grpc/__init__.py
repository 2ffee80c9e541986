"""The transport to workers over gRPC, by their addresses.

tasks -> Pending --take while credit--> Connection, one per worker --results--> Dispatcher
"""

from spanserve.client.grpc.channel import PLAINTEXT, Tls
from spanserve.client.grpc.dispatch import Dispatcher
from spanserve.client.grpc.transport import GrpcTransport

__all__ = ["PLAINTEXT", "Dispatcher", "GrpcTransport", "Tls"]
