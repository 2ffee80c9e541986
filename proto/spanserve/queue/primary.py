"""Which server to connect to: where the primary may move, it is looked up for every connection.

redis-py has a pool that does so with Sentinels. All keys of a queue are in one slot, so to it a cluster is one primary
as well, found by the slot; the same pool serves, asking a cluster in the place of the Sentinels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.connection import (
    Connection,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.sentinel import (
    MasterNotFoundError,
    Sentinel,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.crc import key_slot

from spanserve.queue.address import Address
from spanserve.queue.fresh_tls import fresh_tls
from spanserve.queue.pool import FindingPool, Pool

#: What of a connection counts for asking Sentinels where the primary is, too: all but who we are to the primary.
_ASKING = (
    "socket_timeout",
    "socket_connect_timeout",
    "retry",
    "protocol",
    "health_check_interval",
    "socket_keepalive",
    "ssl_ca_certs",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_cert_reqs",
    "ssl_check_hostname",
)


class _Leaving:
    """A connection that is cut when its server says that it is not, or no longer, the one to ask."""

    #: The pool will look for the right one.
    moves = False

    async def read_response(self, *arguments: Any, **named: Any) -> Any:
        try:
            return await super().read_response(*arguments, **named)  # type: ignore[misc]
        except exceptions.ResponseError as error:
            # In 6.2 the word stands in the middle of what a script says.
            demoted = isinstance(error, exceptions.ReadOnlyError) or "-READONLY " in str(error)
            moved = self.moves and isinstance(error, exceptions.MovedError)
            if demoted or moved:
                await self.disconnect()  # type: ignore[attr-defined]
                text = (
                    "the queue is on another node now" if moved else "READONLY: this server is a replica now"
                )
                raise exceptions.ConnectionError(text) from None
            raise


class _Plain(_Leaving, Connection):
    pass


class _Tls(_Leaving, SSLConnection):
    pass


class _Socket(_Leaving, UnixDomainSocketConnection):
    pass


class _Found(_Leaving, SentinelManagedConnection):
    moves = True


class _FoundTls(_Leaving, SentinelManagedSSLConnection):
    moves = True


class _Sentinels(Sentinel):
    """Sentinels; that none knows a primary is reported in one sentence."""

    def __init__(self, places: tuple[tuple[str, int], ...], **connection: Any) -> None:
        super().__init__(())  # type: ignore[no-untyped-call]
        self.sentinels = [Redis.from_pool(Pool(host=host, port=port, **connection)) for host, port in places]

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        try:
            found: tuple[str, int] = await super().discover_master(service_name)
        except MasterNotFoundError:
            raise exceptions.ConnectionError(
                f"no Sentinel knows a primary {service_name} that is up"
            ) from None
        return found


class _Nodes:
    """Nodes of a cluster, which say who has the slot of a key."""

    def __init__(self, places: tuple[tuple[str, int], ...], **connection: Any) -> None:
        self._connection = connection
        self._nodes: dict[tuple[str, int], Any] = {}
        for place in places:
            self._remember(place)

    async def discover_master(self, key: str) -> tuple[str, int]:
        """The primary that has a key.

        Raises:
            ConnectionError: no node could say.
        """
        slot = key_slot(key.encode())
        problems = {}
        for place, node in list(self._nodes.items()):
            try:
                # In two words the reply comes as it is sent.
                slots = await node.execute_command("CLUSTER", "SLOTS")
            except (exceptions.RedisError, OSError) as error:
                problems[place] = str(error) or type(error).__name__
                continue
            for first, last, primary, *_ in slots:
                if first <= slot <= last:
                    host = primary[0].decode() if primary[0] else place[0]
                    self._remember((host or place[0], primary[1]))
                    return host or place[0], primary[1]
            problems[place] = f"CLUSTERDOWN: no node has the slot {slot}"
        told = "; ".join(f"{host}:{port}: {problem}" for (host, port), problem in problems.items())
        raise exceptions.ConnectionError(f"no node of the cluster could be asked ({told})")

    def _remember(self, place: tuple[str, int]) -> None:
        """Another node to ask, when those of the address are gone."""
        if place not in self._nodes:
            self._nodes[place] = Redis.from_pool(Pool(host=place[0], port=place[1], **self._connection))

    async def aclose(self) -> None:
        for node in self._nodes.values():
            await node.aclose()


def pool_for(
    address: Address, key: str, connection: Mapping[str, Any], asking: Mapping[str, Any]
) -> ConnectionPool:
    """The connections to an address.

    Args:
        key: that is used over them; it says which node of a cluster.
        connection: settings of a connection, by their names in redis-py.
        asking: those of a login to a Sentinel.
    """
    named = {**connection, **address.options}
    kind: type[Connection] = fresh_tls() if address.tls else Connection
    if address.kind == "cluster":
        return _finding(_Nodes(address.places, **named, connection_class=kind), key, address, named)
    if address.kind == "sentinel":
        told = {name: named[name] for name in _ASKING if name in named}
        sentinels = _Sentinels(address.places, **told, **asking, connection_class=kind)
        return _finding(sentinels, address.service, address, named)
    if address.scheme == "unix":
        return Pool(connection_class=_Socket, path=address.path, **named)
    host, port = address.places[0]
    return Pool(connection_class=fresh_tls(_Tls) if address.tls else _Plain, host=host, port=port, **named)


def _finding(asked: Any, name: str, address: Address, named: Mapping[str, Any]) -> ConnectionPool:
    return FindingPool(  # type: ignore[no-untyped-call]
        name, asked, connection_class=fresh_tls(_FoundTls) if address.tls else _Found, **named
    )
