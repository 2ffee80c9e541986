"""A listener: an address and its scheme, which decides how callers are identified there.

ADDRESS?WORDS        ADDRESS is HOST:PORT or unix:PATH; WORDS are joined by &
  plain              no TLS, whatever files there are
  tls                TLS with --tls-cert and --tls-key
  mtls               TLS, and clients show a certificate of --tls-client-ca: its name identifies them
  tokens             clients show a token of --tokens; over TLS or a socket file only
  mode=0660          permissions of a socket file; 0600 gives its owner every role

Without plain, tls or mtls a listener has the TLS that files are given for. Without any of the first four words it also
asks for tokens if there is a list of them, unless its clients show certificates or it is a port in plaintext.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from spanserve.access import Role
from spanserve.contract.errors import SettingsError

#: Largest number of a port.
MAX_PORT = 65535
#: What callers without a credential may do unless --anonymous says otherwise.
ANONYMOUS = frozenset({Role.ASK, Role.OBSERVE})
_TRANSPORTS = frozenset({"plain", "tls", "mtls"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Where a server listens, and how its callers are identified.

    Attributes:
        address: HOST:PORT (port 0: any) or unix:PATH.
        certificates: callers show one of the client CA.
        mode: permissions of a socket file; None: those of the umask.
    """

    address: str
    tls: bool = False
    certificates: bool = False
    tokens: bool = False
    mode: int | None = None

    @property
    def is_socket_file(self) -> bool:
        return self.address.startswith("unix:")

    @property
    def asks(self) -> bool:
        """Whether callers need a credential."""
        return self.tokens or self.certificates

    @property
    def scheme(self) -> str:
        """In the words of an option."""
        words = ["mtls" if self.certificates else "tls" if self.tls else "plain"]
        if self.tokens:
            words.append("tokens")
        if self.mode is not None:
            words.append(f"mode={self.mode:04o}")
        return "&".join(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSettings:
    """The files that identify callers, and what callers may do that are not identified.

    Raises:
        SettingsError: half of a pair of files.
    """

    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    #: The access list.
    tokens: Path | None = None
    #: Roles on listeners that ask for no credential; None: ask and observe, with a warning where that is to change.
    anonymous: frozenset[Role] | None = None
    #: Allow plaintext on an address that other machines reach.
    insecure: bool = False

    def __post_init__(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise SettingsError("tls_cert and tls_key go together")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise SettingsError("tls_client_ca needs tls_cert and tls_key")

    def listener(self, name: str, text: str, *, plain: bool = False) -> Listener:
        """A listener that these files suffice for.

        Args:
            name: of the option.
            text: ADDRESS?WORDS, see above.
            plain: what the scheme is without words, on addresses that other machines reach, too.

        Raises:
            SettingsError: no address, or no such scheme; or plaintext would be offered beyond this machine.
        """
        address, _, query = text.partition("?")
        check_address(name, address)
        words = [word for word in query.split("&") if word]
        mode = _mode(name, text, words)
        scheme = {word for word in words if not word.startswith("mode=")}
        self._check_scheme(name, text, scheme)
        by_files = not (scheme & _TRANSPORTS or plain)
        certificates = "mtls" in scheme or (by_files and self.tls_client_ca is not None)
        tls = certificates or "tls" in scheme or (by_files and self.tls_cert is not None)
        may_show_tokens = tls or address.startswith("unix:")
        asked = self.tokens is not None and not (scheme or plain or certificates) and may_show_tokens
        tokens = "tokens" in scheme or asked
        if tokens and not may_show_tokens:
            raise SettingsError(f"{name} is {text}: tokens are sent only over TLS or a socket file")
        if not (tls or plain or self.insecure or is_local(address)):
            raise SettingsError(
                f"{name} is {address}: other machines reach it, and it would speak plaintext; "
                "give --tls-cert and --tls-key, or --insecure if the network itself is private"
            )
        return Listener(address=address, tls=tls, certificates=certificates, tokens=tokens, mode=mode)

    def _check_scheme(self, name: str, text: str, scheme: set[str]) -> None:
        """Whether every word is one, and has what it needs.

        Raises:
            SettingsError: it is not.
        """
        unknown = scheme - _TRANSPORTS - {"tokens"}
        if unknown:
            raise SettingsError(
                f"{name} is {text}: {min(unknown)!r} is not one of plain, tls, mtls, tokens, mode="
            )
        if len(scheme & _TRANSPORTS) > 1:
            raise SettingsError(f"{name} is {text}: plain, tls and mtls exclude each other")
        needs = {
            "tls": (self.tls_cert, "--tls-cert and --tls-key"),
            "mtls": (self.tls_client_ca, "--tls-client-ca"),
            "tokens": (self.tokens, "--tokens FILE, which `spanserve token new` makes"),
        }
        for word, (path, options) in needs.items():
            if word in scheme and path is None:
                raise SettingsError(f"{name} is {text}: {word} needs {options}")


def _mode(name: str, text: str, words: list[str]) -> int | None:
    """The permissions of a socket file that the words give; None where they do not.

    Raises:
        SettingsError: they cannot be, or it is not a socket file.
    """
    found = [word.removeprefix("mode=") for word in words if word.startswith("mode=")]
    if not found:
        return None
    if not text.startswith("unix:"):
        raise SettingsError(f"{name} is {text}: mode= is for unix:PATH")
    if len(found) > 1 or not re.fullmatch(r"0?6[0-7][0-7]", found[0]):
        raise SettingsError(f"{name} is {text}: mode= must give its owner access, as 0600, 0660 and 0666 do")
    return int(found[0], 8)


def check_address(name: str, address: str) -> None:
    """Check that an address is one: gRPC would take a port modulo 65536.

    Raises:
        SettingsError: neither HOST:PORT nor unix:PATH.
    """
    host, _, port = address.rpartition(":")
    socket_file = address.startswith("unix:") and address != "unix:"
    if not socket_file and not (host and port.isdecimal() and int(port) <= MAX_PORT):
        raise SettingsError(
            f"{name} is {address!r}: use HOST:PORT, the port at most {MAX_PORT}, or unix:PATH"
        )


def is_local(address: str) -> bool:
    """Whether only this machine reaches an address."""
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
