"""mlu-exporter, played by a small HTTP server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from spanserve.doctor.exporter import check_exporter
from tests.kit.ports import free_port

LABELS = 'driver="v5.10.22",mlu="%d",model="MLU370-X8",uuid="u"'


def metric(name: str, value: float, card: int = 0, extra: str = "") -> str:
    return f"mlu_{name}{{{LABELS % card}{extra}}} {value}\n"


CLEAN = metric("health", 1) + metric("xid_error", 0) + metric("temperature", 31)


@pytest.fixture
def exporter() -> Iterator[Callable[[str], str]]:
    """Serves a text; gives the address."""
    with ExitStack() as stack:

        def serve(text: str) -> str:
            class Handler(BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.write(text.encode())

                def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                    pass

            server = stack.enter_context(HTTPServer(("127.0.0.1", 0), Handler))
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return f"127.0.0.1:{server.server_address[1]}"

        yield serve


@pytest.mark.parametrize(
    ("text", "card", "verdict", "found"),
    [
        pytest.param(CLEAN, 0, "ok", "none, according to mlu-exporter", id="clean"),
        pytest.param(
            CLEAN + metric("xid_error_count", 3), 0, "warning", "xid_error_count 3 on card 0", id="xid"
        ),
        pytest.param(
            CLEAN + metric("ecc_error_total", 1), 0, "warning", "ecc_error_total 1 on card 0", id="ecc"
        ),
        pytest.param(CLEAN + metric("ecc_error_total", 1, card=2), 0, "ok", "none", id="of-another-card"),
        pytest.param(
            CLEAN + metric("ecc_error_total", 1, card=2), None, "warning", "on card 2", id="any-card"
        ),
        pytest.param(
            metric("health", 0, extra=',unhealth_reason="mcu"'),
            0,
            "failed",
            "card 0 is not healthy: mcu",
            id="sick",
        ),
        pytest.param("<html>hello", 0, "warning", "cannot be read", id="another-server"),
    ],
)
def test_errors(
    exporter: Callable[[str], str], text: str, card: int | None, verdict: str, found: str
) -> None:
    """Errors are a warning, a card that is not healthy has failed."""
    finding = check_exporter(exporter(text), card)
    assert (verdict, True) == (finding.verdict.value, found in finding.found), finding


@pytest.mark.parametrize("place", ["nowhere", "127.0.0.1:port"])
def test_nobody_there(place: str) -> None:
    """Without an exporter nothing is wrong: most machines have none."""
    address = f"127.0.0.1:{free_port('127.0.0.1')}" if place != "nowhere" else "127.0.0.1:none"
    finding = check_exporter(address, 0)
    assert ("ok", True) == (finding.verdict.value, "no mlu-exporter at" in finding.found)
