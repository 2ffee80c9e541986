"""The gate of one listener: identifies a caller by its credential, and decides whether it may do what it asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spanserve.access import Entry, Role
from spanserve.doors.access import Access
from spanserve.doors.certificate import PeerCertificate
from spanserve.doors.identity import OWNER, ROLES, Identity, NotAllowed, Unidentified
from spanserve.doors.listener import ANONYMOUS, Listener


@dataclass(frozen=True, slots=True)
class Shown:
    """What a caller shows to identify itself.

    Attributes:
        authorization: headers of that name.
        certificate: of a TLS connection, where the listener asks for one.
    """

    authorization: Sequence[str] = ()
    certificate: PeerCertificate | None = None


class Gate:
    """Lets callers of one listener in.

    Args:
        roles: method -> the role it needs; a method that is missing is refused.
    """

    def __init__(self, listener: Listener, access: Access, roles: Mapping[str, Role | None] = ROLES) -> None:
        self.listener = listener
        self.access = access
        self._roles = roles
        given = access.settings.anonymous
        self._anonymous = Identity("anonymous", ANONYMOUS if given is None else given)

    def is_private(self) -> None:
        """The listener is a socket file that only its owner may open: a caller that did may do all."""
        self._anonymous = OWNER

    def is_open(self, method: str) -> bool:
        """Whether anyone may call this."""
        return method in self._roles and self._roles[method] is None

    def admit(self, method: str, shown: Shown) -> Identity:
        """Who calls, if they may.

        Raises:
            Unidentified: they show nothing that counts.
            NotAllowed: they may not.
        """
        caller = self._identify(shown)
        role = self._roles.get(method)
        if role is not None and role in caller.roles:
            return caller
        if caller is self._anonymous and role is not None:
            raise Unidentified(f"this listener requires a credential to {role.value}")
        raise NotAllowed(f"{caller.name} may not {role.value}" if role else "no role allows this method")

    def _identify(self, shown: Shown) -> Identity:
        if self.listener.tokens:
            return self._by_token(shown.authorization)
        if self.listener.certificates:
            return self._by_certificate(shown.certificate)
        return self._anonymous

    def _by_token(self, headers: Sequence[str]) -> Identity:
        if not headers:
            raise Unidentified("this listener requires a bearer token")
        names = self.access.names
        assert names is not None, "a listener that asks for tokens has a list of them"
        scheme, _, token = headers[0].partition(" ")
        entry = names.by_token(token.strip()) if len(headers) == 1 and scheme.lower() == "bearer" else None
        if entry is None:
            raise Unidentified("this worker does not know the bearer token")
        return self._let_in(entry)

    def _by_certificate(self, certificate: PeerCertificate | None) -> Identity:
        if certificate is None:
            raise Unidentified("this listener requires a client certificate")
        if certificate.expires <= self.access.clock():
            raise Unidentified("the client certificate has expired")
        names = self.access.names
        if names is None:  # anyone whom the CA has signed for
            name = f"san:{certificate.names[0]}" if certificate.names else f"cn:{certificate.common_name}"
            return Identity(name, ANONYMOUS)
        entry = names.by_san(certificate.names)
        if entry is None:
            raise NotAllowed("none of the names in the client certificate is in the access list")
        return self._let_in(entry)

    def _let_in(self, entry: Entry) -> Identity:
        if entry.expired(self.access.clock()):
            raise Unidentified(f"the credential of {entry.id} has expired")
        return Identity(entry.id, entry.roles, entry.tenants, entry.weight)
