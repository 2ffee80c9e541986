"""One line of an access list: a caller, how it is identified, and what it may do."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from spanserve.access.role import Role, parse_roles
from spanserve.contract.errors import SpanserveError
from spanserve.contract.limits import ID_PATTERN

#: Largest share of a caller, relative to one of weight 1; the smallest is its inverse.
MAX_WEIGHT = 1000.0
#: Instead of tenants: any; instead of a date: never.
ANY, NEVER = "*", "never"
_FIELDS = ("id", "credential", "roles", "tenants", "weight", "expiry")


class AccessError(SpanserveError):
    """A token or an access list cannot be used. Names the file, the line, and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A caller that is identified by a token or by a certificate.

    Attributes:
        digest: SHA-256 of the token, 32 bytes; empty for a certificate.
        san: subject alternative name of the certificate; empty for a token.
        tenants: those it may name in tasks, the first for tasks that name none; empty: any.
        weight: its share of a busy worker, relative to others.
        expires: Unix time in seconds from which on it is not let in; None: never.
    """

    id: str
    digest: bytes = b""
    san: str = ""
    roles: frozenset[Role]
    tenants: tuple[str, ...] = ()
    weight: float = 1.0
    expires: float | None = None

    @classmethod
    def parse(cls, line: str) -> Entry:
        """Read `ID sha256:HEX|san:NAME ROLES TENANTS WEIGHT EXPIRY`.

        Raises:
            ValueError: it cannot be read; says which field.
        """
        fields = line.split()
        if len(fields) != len(_FIELDS):
            raise ValueError(f"has {len(fields)} fields, not {len(_FIELDS)}: {', '.join(_FIELDS)}")
        name, credential, roles, tenants, weight, expiry = fields
        if not re.fullmatch(ID_PATTERN, name):
            raise ValueError(f"id does not match {ID_PATTERN}")
        digest, san = _parse_credential(credential)
        return cls(
            id=name,
            digest=digest,
            san=san,
            roles=parse_roles(roles),
            tenants=parse_tenants(tenants),
            weight=parse_weight(weight),
            expires=parse_expiry(expiry),
        )

    def __str__(self) -> str:
        """The line of it."""
        credential = f"sha256:{self.digest.hex()}" if self.digest else f"san:{self.san}"
        roles = ",".join(role.value for role in Role if role in self.roles)
        tenants = ",".join(self.tenants) or ANY
        return f"{self.id} {credential} {roles} {tenants} {self.weight:g} {expiry_text(self.expires)}"

    def expired(self, now: float) -> bool:
        """Whether it has expired at a Unix time in seconds."""
        return self.expires is not None and now >= self.expires


def parse_tenants(text: str) -> tuple[str, ...]:
    """Tenants from `a,b`; none from `*`, which is any.

    Raises:
        ValueError: one is not a name.
    """
    if text == ANY:
        return ()
    tenants = tuple(text.split(","))
    for tenant in tenants:
        if not re.fullmatch(ID_PATTERN, tenant):
            raise ValueError(f"tenant {tenant!r} does not match {ID_PATTERN}")
    return tenants


def parse_weight(text: str) -> float:
    """A weight.

    Raises:
        ValueError: it is not one.
    """
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not 1 / MAX_WEIGHT <= weight <= MAX_WEIGHT:
        raise ValueError(f"weight is {text!r}: use a number from {1 / MAX_WEIGHT:g} to {MAX_WEIGHT:g}")
    return weight


def parse_expiry(text: str) -> float | None:
    """Unix time in seconds of a date (its first moment, UTC) or a time in ISO 8601; None from `never`.

    Raises:
        ValueError: it is neither.
    """
    if text == NEVER:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"expiry is {text!r}: use 2027-01-31, 2027-01-31T12:00:00Z or {NEVER}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def expiry_text(expires: float | None) -> str:
    """What `parse_expiry` reads."""
    return NEVER if expires is None else datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _parse_credential(text: str) -> tuple[bytes, str]:
    kind, _, value = text.partition(":")
    if kind == "san" and value:
        return b"", value
    if kind == "sha256" and re.fullmatch(r"[0-9a-f]{64}", value):
        return bytes.fromhex(value), ""
    raise ValueError("credential is neither sha256: with 64 hexadecimal digits nor san: with a name")
