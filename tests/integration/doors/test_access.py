"""Who is let in: every scheme, every method and every kind of caller, over real sockets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from grpc import aio

from spanserve.access import Role, digest_of, new_token
from spanserve.bundle import Bundle
from spanserve.contract import Task
from spanserve.doors.access import Access
from spanserve.doors.listener import AccessSettings, Listener
from tests.kit.callers import METHODS, Caller
from tests.kit.identity import Identity, make_identity, make_signed
from tests.kit.serving import serving
from tests.kit.wire import make_task

#: What each role lets a caller do. Some are open to all, there is no method `unknown`, and List is in no table.
BY_ROLE = {
    "ask": {"Answer", "Work", "ModelInfer"},
    "observe": {
        "Describe",
        "Watch",
        "reflection",
        "ServerMetadata",
        "ModelMetadata",
        "ModelReady",
    },
}
OPEN = {"Check", "ServerLive", "ServerReady"}
OUT, NOT = "UNAUTHENTICATED", "PERMISSION_DENIED"


def outcome(roles: str, refusal: str) -> dict[str, str]:
    """What each method says to somebody with these roles; to what they do not cover, this."""
    allowed = OPEN.union(*(BY_ROLE.get(role, set()) for role in roles.split(",")))
    said = {name: "OK" if name in allowed else refusal for name in METHODS}
    return {**said, "unknown": "UNIMPLEMENTED", "List": NOT}


#: What each method says to somebody whose credential does not count.
UNIDENTIFIED = {**outcome("", OUT), "List": OUT}


NOTHING = dict.fromkeys(METHODS, "UNAVAILABLE")


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with credentials."""

    folder: Path
    server: Identity
    authority: Identity
    tokens: dict[str, str]

    @property
    def list(self) -> Path:
        return self.folder / "tokens"


ROLES = {"asker": "ask", "viewer": "observe", "both": "ask,observe", "operator": "operate"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A worker's certificate, an authority for clients, and an access list with tokens and certificates."""
    tokens = {name: new_token(name) for name in (*ROLES, "expired")}
    lines = [
        f"{name} sha256:{digest_of(tokens[name]).hex()} {roles} {name} 1 never"
        for name, roles in ROLES.items()
    ]
    lines.append(f"expired sha256:{digest_of(tokens['expired']).hex()} ask,observe expired 1 2020-01-01")
    lines.append("alice san:alice ask alice,shared 2 never")
    lines.append("oldie san:spiffe://x/oldie ask oldie 1 2020-01-01")
    (tmp_path / "tokens").write_text("".join(f"{line}\n" for line in lines))
    return Place(tmp_path, make_identity(tmp_path, "worker"), make_identity(tmp_path, "authority"), tokens)


def settings_of(place: Place, anonymous: frozenset[Role] | None, *, tokens: bool = True) -> AccessSettings:
    return AccessSettings(
        tls_cert=place.server.cert,
        tls_key=place.server.key,
        tls_client_ca=place.authority.cert,
        tokens=place.list if tokens else None,
        anonymous=anonymous,
    )


def listeners_of(settings: AccessSettings, folder: Path) -> list[Listener]:
    """A listener of every scheme that the files allow."""
    schemes = ["plain", "tls", "mtls", *(["tls&tokens", "mtls&tokens"] if settings.tokens else [])]
    found = [settings.listener("listen", f"127.0.0.1:0?{scheme}") for scheme in schemes]
    files = [
        "plain&mode=0600",
        "plain&mode=0660",
        "tls",
        *(["tokens&plain&mode=0666"] if settings.tokens else []),
    ]
    names = [f"unix:{folder}/{number}.sock?{scheme}" for number, scheme in enumerate(files)]
    return found + [settings.listener("listen", name) for name in names]


def callers_of(place: Place, scheme: str) -> dict[str, Caller]:
    """Everybody who might try a listener."""
    tls = place.server if "tls" in scheme else None
    bearer = {name: f"Bearer {token}" for name, token in place.tokens.items()}
    if "mtls" not in scheme:
        shown: dict[str, tuple[str, ...]] = {
            "nobody": (),
            **{name: (header,) for name, header in bearer.items()},
            "wrong": (f"{bearer['both'][:-1]}{'a' if bearer['both'][-1] != 'a' else 'b'}",),
            "two": (bearer["both"], bearer["both"]),
            "basic": (bearer["both"].replace("Bearer", "Basic"),),
        }
        return {name: Caller(authority=tls, authorization=headers) for name, headers in shown.items()}
    folder, authority, stranger = place.folder, place.authority, make_identity(place.folder, "stranger")
    certificates = {
        "nobody": None,
        "alice": make_signed(folder, "alice", authority, "DNS:other", "DNS:alice"),
        "oldie": make_signed(folder, "oldie", authority, "URI:spiffe://x/oldie"),
        "unlisted": make_signed(folder, "bob", authority, "DNS:bob"),
        "nameless": make_signed(folder, "nameless", authority),
        "stranger": make_signed(folder, "mallory", stranger, "DNS:alice"),
    }
    made = {name: Caller(authority=tls, identity=identity) for name, identity in certificates.items()}
    made["alice with a token"] = Caller(
        authority=tls, identity=certificates["alice"], authorization=(bearer["viewer"],)
    )
    return made


def expected(scheme: str, caller: str, anonymous: str, *, listed: bool) -> dict[str, str]:
    """What a caller gets on a listener, by the rules as they are written down."""
    if "mtls" in scheme and caller in ("nobody", "stranger"):
        return NOTHING  # no handshake
    if "tokens" in scheme:
        token = {"alice with a token": "viewer"}.get(caller, caller)
        return outcome(ROLES[token], NOT) if token in ROLES else UNIDENTIFIED
    if "mtls" in scheme and not listed:
        return outcome("ask,observe", NOT)
    if "mtls" in scheme:
        by_name = {
            "alice": outcome("ask", NOT),
            "alice with a token": outcome("ask", NOT),
            "oldie": UNIDENTIFIED,
        }
        return by_name.get(caller, outcome("", NOT))
    if "mode=0600" in scheme:
        return outcome("ask,observe,operate", OUT)
    return outcome(anonymous, OUT)


@pytest.mark.parametrize("anonymous", ["", "ask", "observe", "none"])
async def test_table(sim_bundle: Bundle, place: Place, anonymous: str) -> None:
    """Every caller gets at every method of every listener of one worker what its scheme gives, and nothing else."""
    roles = frozenset(role for role in Role if role.value == anonymous)
    access = Access(settings_of(place, roles if anonymous else None))
    listeners = listeners_of(access.settings, place.folder)
    async with serving(sim_bundle, listeners=listeners, access=access, reflection=True) as served:
        for listener, address in zip(listeners, served.door.addresses, strict=True):
            scheme = listener.scheme
            callers = callers_of(place, scheme)
            wanted = {
                name: expected(scheme, name, anonymous or "ask,observe", listed=True) for name in callers
            }
            assert {} == await differences(callers, address, wanted)


async def differences(
    callers: dict[str, Caller], address: str, wanted: dict[str, dict[str, str]]
) -> dict[tuple[str, str], str]:
    """Caller and method -> what it got that it should not have."""
    found = {name: await caller.try_all(address) for name, caller in callers.items()}
    return {
        (name, method): said
        for name, outcomes in found.items()
        for method, said in outcomes.items()
        if wanted[name][method] != said
    }


async def test_whoever_the_authority_has_signed_for(sim_bundle: Bundle, place: Place) -> None:
    """Without an access list a certificate of the client CA suffices, one without names too, as it always did."""
    access = Access(settings_of(place, None, tokens=False))
    (listener,) = (item for item in listeners_of(access.settings, place.folder) if item.certificates)
    async with serving(sim_bundle, listeners=[listener], access=access, reflection=True) as served:
        callers = callers_of(place, "mtls")
        wanted = {name: expected("mtls", name, "", listed=False) for name in callers}
        assert {} == await differences(callers, served.address, wanted)


async def test_tenants(sim_bundle: Bundle, place: Place) -> None:
    """A caller's tenants are its own: another's is refused by field; who has none may name any, as before."""
    access = Access(settings_of(place, None))
    tls = [access.settings.listener("listen", f"127.0.0.1:0?{scheme}") for scheme in ("mtls", "plain")]
    alice = Caller(authority=place.server, identity=callers_of(place, "mtls")["alice"].identity)
    async with serving(sim_bundle, listeners=tls, access=access) as served:
        strict, open_ = served.door.addresses
        said = {
            tenant: await alice.ask(strict, tenant_task(tenant)) for tenant in ("", "alice", "shared", "bob")
        }
        assert {"": "OK", "alice": "OK", "shared": "OK", "bob": NOT} == said
        assert "OK" == await Caller().ask(open_, tenant_task("bob"))


def tenant_task(tenant: str) -> Task:
    return replace(make_task(), tenant=tenant)


async def test_health_is_no_lever(sim_bundle: Bundle) -> None:
    """Who asks for health all the time is told so; who comes on another connection is answered."""
    async with serving(sim_bundle) as served, Caller().channel(served.address) as channel:
        check: aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/grpc.health.v1.Health/Check")
        codes: set[str] = set()
        for _ in range(300):
            try:
                await check(b"")
            except aio.AioRpcError as error:
                codes.add(error.code().name)
        assert {"RESOURCE_EXHAUSTED"} == codes
        assert "OK" == (await Caller().try_all(served.address))["Check"]
