"""Options that several subcommands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spanserve.client.grpc.channel import Tls

Workers = Annotated[
    list[str] | None,
    typer.Option(
        "--worker",
        envvar="SPANSERVE_WORKERS",
        help="HOST:PORT or unix:PATH of a worker; repeat for several, or give a name that has several "
        "records. Default: a private worker.",
    ),
]
Wait = Annotated[
    float, typer.Option(envvar="SPANSERVE_WAIT", help="Seconds to wait for a worker to be ready.", min=0)
]
TlsCa = Annotated[
    Path | None, typer.Option(envvar="SPANSERVE_TLS_CA", help="TLS: certificates to trust, PEM.")
]
TlsCert = Annotated[
    Path | None, typer.Option(envvar="SPANSERVE_TLS_CLIENT_CERT", help="TLS: our certificate, PEM.")
]
TlsKey = Annotated[Path | None, typer.Option(envvar="SPANSERVE_TLS_CLIENT_KEY", help="TLS: our key, PEM.")]
Redis = Annotated[
    str | None,
    typer.Option(
        "--redis", envvar="SPANSERVE_REDIS", help="redis://HOST:PORT/DB, rediss:// for TLS, unix:///PATH."
    ),
]
Queue = Annotated[str, typer.Option("--queue", envvar="SPANSERVE_QUEUE", help="Name of the queue in Redis.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text for people.")]
NBestSize = Annotated[int, typer.Option(help="Candidate spans kept per question.")]
MaxAnswerLength = Annotated[int, typer.Option(help="Longest answer in tokens.")]
DocStride = Annotated[int, typer.Option(help="Tokens from one window to the next.")]
MaxQueryLength = Annotated[int, typer.Option(help="Tokens of a question that are kept.")]


def tls_of(ca: Path | None, cert: Path | None, key: Path | None) -> Tls:
    """The TLS files named on the command line."""
    return Tls(ca=ca, cert=cert, key=key)
