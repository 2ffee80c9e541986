"""The client: ask, evaluate, score.

squad -> tasks -> dispatch (one deque, a connection per worker) -> ledger, results -> scores, report
"""

from spanserve.client.channel import Tls
from spanserve.client.client import AsyncClient, Client
from spanserve.client.dispatch import Dispatcher, NoWorker, OtherModel
from spanserve.client.errors import ClientError

__all__ = ["AsyncClient", "Client", "ClientError", "Dispatcher", "NoWorker", "OtherModel", "Tls"]
