"""URLs of a Redis: what of them is shown, and which are refused with a hint."""

from __future__ import annotations

import pytest

from spanserve.queue import QueueError, RedisSettings
from spanserve.queue.address import Address


@pytest.mark.parametrize(
    "url",
    [
        "redis://:s3cr#et@h:1/0",
        "redis://:s3cr/et@h:1/0",
        "redis://:s3cr?et@h:1/0",
        "redis://:s3cr[et@h:1/0",
        "redis://u:s3cr]et@h:1/0",
        "rediss://u:s3cr#et/s3cr@h:1",
        "redis://:s3cr#et",
        "redis://u:s3cret",
        "redis://u:s://cret@h",
        "redis://[s3cret@h",
        "http://u:s3cret@h",
        "u:s3cret@h:1",
        "unix:/sock?password=s3cret",
        "redis://h:6379/0?password=s3cret&db=1",
        "redis://h:6379/0?db=1&username=me&password=s3#cret",
        "redis://h/0?ssl_password=s3cret",
        "redis://h?s3cret",
        "redis://h?s3cr=et/s3cret",
        "redis+sentinel://:s3cr/et@a,b/main",
        "redis+cluster://a,:s3cret,b",
    ],
)
def test_refused_without_the_password(url: str) -> None:
    """A URL that cannot be read is refused in a sentence that does not hold its password."""
    with pytest.raises(QueueError) as caught:
        RedisSettings(url=url)
    assert "s3cr" not in str(caught.value)
    assert "cret" not in str(caught.value)
    if "@" in url and url.startswith("redis"):
        assert "# as %23" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("redis://h", "redis://h"),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
        ("redis://u:p%23w@h:6379/0", "redis://***@h:6379/0"),
        ("redis://u:a@b@h:6379", "redis://***@h:6379"),
        ("redis+sentinel://u:pw@a,b:26380/main/1", "redis+sentinel://***@a,b:26380/main/1"),
        ("rediss+cluster://:pw@a,b?ssl_cert_reqs=none", "rediss+cluster://***@a,b?ssl_cert_reqs=none"),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1"),
    ],
)
def test_shown(url: str, shown: str) -> None:
    """A URL is shown without user and password, wherever they stand."""
    settings = RedisSettings(url=url)
    assert (shown, f"RedisSettings({shown})") == (settings.safe_url, repr(settings))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis://h?password=x", "option password .* give --redis-password-file"),
        ("rediss://h?ssl_ca_certs=/ca", "option ssl_ca_certs .* give --redis-ca"),
        ("redis://h?max_connections=3", "option max_connections .* there are db, client_name"),
        ("redis://h?db=one", "option db .* is not a whole number"),
        ("redis://h?ssl_cert_reqs=none", "is only for rediss://"),
        ("rediss://h?ssl_cert_reqs=maybe", "is not none, optional or required"),
        ("redis://a,b", "has one host"),
        ("redis+sentinel://a,b", "names the primary after the hosts"),
        ("redis+cluster://a/3", "has only database 0"),
        ("localhost:6379", "the address localhost:6379 of Redis is not a redis://"),
        ("unix://sock", "is a path that begins with /"),
    ],
)
def test_refused_by_name(url: str, message: str) -> None:
    """What an address says that is not known, or that stands elsewhere, is named, and what to do about it."""
    with pytest.raises(QueueError, match=message):
        RedisSettings(url=url)


def test_parts() -> None:
    """An address leads to its places, with user, password and options as they are meant."""
    address = Address.parse("rediss+sentinel://u:p%2Fw%40@a,[::1]:26380/main/2?client_name=eval%201")
    assert (("a", 26379), ("::1", 26380)) == address.places
    assert ("u", "p/w@", "main", {"db": 2, "client_name": "eval 1"}) == (
        address.username,
        address.password,
        address.service,
        address.options,
    )
    assert (True, "sentinel") == (address.tls, address.kind)
    assert "p/w" not in repr(address)
    assert (("localhost", 6379),) == Address.parse("redis://").places
    assert {"db": 1} == Address.parse("unix:///run/redis.sock?db=1").options
