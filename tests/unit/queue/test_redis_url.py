"""URLs of a Redis: what of them is shown, and which are refused with a hint."""

from __future__ import annotations

import pytest

from spanserve.queue import QueueError, RedisSettings


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
    ],
)
def test_refused_without_the_password(url: str) -> None:
    """A URL that cannot be read is refused in a sentence that does not hold its password."""
    with pytest.raises(QueueError) as caught:
        RedisSettings(url=url)
    assert "s3cr" not in str(caught.value)
    assert "cret" not in str(caught.value)
    if url.startswith("redis"):
        assert "# as %23" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("redis://h", "redis://h"),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
        ("redis://u:p%23w@h:6379/0", "redis://***@h:6379/0"),
        ("redis://u:a@b@h:6379", "redis://***@h:6379"),
        ("redis://h:6379/0?password=secret&db=1", "redis://h:6379/0?password=***&db=1"),
        (
            "redis://h:6379/0?db=1&username=me&password=se#cret",
            "redis://h:6379/0?db=1&username=***&password=***",
        ),
        ("redis://h/0?ssl_password=secret", "redis://h/0?ssl_password=***"),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1"),
    ],
)
def test_shown(url: str, shown: str) -> None:
    """A URL is shown without user and password, wherever they stand."""
    settings = RedisSettings(url=url)
    assert (shown, f"RedisSettings({shown})") == (settings.safe_url, repr(settings))
