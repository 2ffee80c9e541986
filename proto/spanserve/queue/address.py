"""Addresses of a Redis: one server, the primary that Sentinels know, or the node of a cluster that has a queue.

    redis://[USER:PASSWORD@]HOST[:PORT][/DB][?OPTION=VALUE&...]       rediss:// for TLS
    unix:///PATH[?OPTION=VALUE&...]
    redis+sentinel://HOST[:PORT],HOST[:PORT],.../NAME[/DB]            rediss+sentinel:// for TLS, to Sentinels as well
    redis+cluster://HOST[:PORT],HOST[:PORT],...                       rediss+cluster://

An address that cannot be read may hold a password anywhere, so nothing of it is repeated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from spanserve.queue.errors import QueueError

#: Scheme -> the port where none is given.
_PORTS: Final = {
    **dict.fromkeys(("redis", "rediss", "redis+cluster", "rediss+cluster"), 6379),
    **dict.fromkeys(("redis+sentinel", "rediss+sentinel"), 26379),
    "unix": 0,
}
_KNOWN: Final = "redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://"
#: What would end the part of a URL that holds user and password.
_UNQUOTED: Final = re.compile(r"[/?#\[\]]")
_PLACE: Final = re.compile(r"(?P<host>[^:\[\]\s]*|\[[0-9a-fA-F:.%]+\])(?::(?P<port>\d{1,5}))?")
#: A word without a scheme that is not a secret: a host where a URL belongs.
_BARE: Final = re.compile(r"[\w.-]+(:\d{1,5})?")
_OPTION_NAME: Final = re.compile(r"[a-z_]{1,40}")


def _natural(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise ValueError("is not a whole number")
    return int(text)


def _flag(text: str) -> bool:
    found = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(text.lower())
    if found is None:
        raise ValueError("is not true or false")
    return found


def _certificates(text: str) -> str:
    if text not in ("none", "optional", "required"):
        raise ValueError("is not none, optional or required")
    return text


#: What may be given after a `?`; redis-py would take every setting of a connection there, passwords and files too.
_OPTIONS: Final[Mapping[str, Callable[[str], Any]]] = {
    "db": _natural,
    "client_name": str,
    "health_check_interval": _natural,
    "socket_keepalive": _flag,
    "ssl_cert_reqs": _certificates,
    "ssl_check_hostname": _flag,
}
#: Options that other programs take in a URL, and where they are set here.
_ELSEWHERE: Final = {
    **dict.fromkeys(("username", "user"), "--redis-username"),
    **dict.fromkeys(("password", "ssl_password"), "--redis-password-file"),
    **dict.fromkeys(("ssl_ca_certs", "ssl_ca_path", "ssl_ca_data"), "--redis-ca"),
    "ssl_certfile": "--redis-cert",
    "ssl_keyfile": "--redis-key",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a Redis is. User and password are in none of its texts."""

    scheme: str
    #: Host and port of each server to ask; none for a unix socket.
    places: tuple[tuple[str, int], ...] = ()
    #: Of a unix socket.
    path: str = ""
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    #: What the Sentinels call the primary.
    service: str = ""
    #: For connections, by their names in redis-py.
    options: Mapping[str, Any] = field(default_factory=dict)
    #: What follows the login: with nothing in it that is not a place, a name or one of the options.
    shown: str = ""

    @property
    def tls(self) -> bool:
        return self.scheme.startswith("rediss")

    @property
    def kind(self) -> str:
        """What it leads to: `` for one server, `sentinel` or `cluster`."""
        return self.scheme.partition("+")[2]

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read a URL.

        Raises:
            QueueError: it is not one of ours; nothing of it is repeated that may be a password.
        """
        scheme, mark, rest = url.partition("://")
        if not mark or scheme not in _PORTS:
            shown = f"{url} " if _BARE.fullmatch(url) else ""
            raise QueueError(f"the address {shown}of Redis is not a {_KNOWN} address")
        login, at, place = rest.rpartition("@")
        if _UNQUOTED.search(login) and scheme != "unix":
            raise _unreadable(scheme)
        shown = place
        place, _, query = place.partition("?")
        username, _, password = login.partition(":")
        found: dict[str, Any] = {
            "scheme": scheme,
            "username": unquote(username),
            "password": unquote(password),
            "options": _options(scheme, query),
            "shown": shown,
        }
        if scheme == "unix":
            if at or not place.startswith("/"):
                raise QueueError("a unix:// address is a path that begins with /: unix:///run/redis.sock")
            return cls(**found, path=unquote(place))
        hosts, _, path = place.partition("/")
        service, db = _service_and_db(scheme, path)
        places = tuple(_place(scheme, each) for each in hosts.split(","))
        if len(places) > 1 and "+" not in scheme:
            raise QueueError(
                f"a {scheme}:// address has one host; several are for redis+sentinel and redis+cluster"
            )
        if db is not None:
            found["options"] = {**found["options"], "db": db}
        if found["options"].get("db") and scheme.endswith("+cluster"):
            raise QueueError("a cluster has only database 0")
        return cls(**found, places=places, service=service)

    def __str__(self) -> str:
        """For people: as it was given, without user and password."""
        login = "***@" if self.username or self.password else ""
        return f"{self.scheme}://{login}{self.shown}"


def _unreadable(scheme: str) -> QueueError:
    return QueueError(
        f"the {scheme}:// address cannot be read: in a user or password write / as %2F, ? as %3F, # as %23, [ as %5B "
        "and ] as %5D, or give --redis-username and --redis-password-file"
    )


def _place(scheme: str, text: str) -> tuple[str, int]:
    match = _PLACE.fullmatch(text)
    if match is None or int(match["port"] or 0) > 65535:
        raise _unreadable(scheme)
    return match["host"].strip("[]") or "localhost", int(match["port"] or _PORTS[scheme])


def _service_and_db(scheme: str, path: str) -> tuple[str, int | None]:
    parts = path.split("/") if path else []
    service = ""
    if scheme.endswith("+sentinel"):
        if not parts or not parts[0]:
            raise QueueError(
                f"a {scheme}:// address names the primary after the hosts: {scheme}://HOST,HOST/NAME"
            )
        service = unquote(parts.pop(0))
    if not parts or parts == [""]:
        return service, None
    if len(parts) > 1 or not parts[0].isdecimal() or len(parts[0]) > 9:
        raise _unreadable(scheme)
    return service, int(parts[0])


def _options(scheme: str, query: str) -> dict[str, Any]:
    found = {}
    for part in filter(None, query.split("&")):
        name, given, value = part.partition("=")
        if not given or not _OPTION_NAME.fullmatch(name):
            raise _unreadable(scheme)
        if name not in _OPTIONS:
            where = _ELSEWHERE.get(name)
            advice = f"give {where}" if where else f"there are {', '.join(_OPTIONS)}"
            raise QueueError(f"the option {name} of a {scheme}:// address is not known: {advice}")
        if name.startswith("ssl_") and not scheme.startswith("rediss"):
            raise QueueError(f"the option {name} is only for rediss:// addresses")
        try:
            found[name] = _OPTIONS[name](unquote(value))
        except ValueError as error:
            raise QueueError(f"the option {name} of a {scheme}:// address {error}") from None
    return found
