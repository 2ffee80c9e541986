"""Options that several subcommands share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from spanserve.access import Token
from spanserve.client.evaluation.long_contexts import LongContexts
from spanserve.client.grpc.channel import Tls
from spanserve.contract import Options

Workers = Annotated[
    list[str] | None,
    typer.Option(
        "--worker",
        envvar="SPANSERVE_WORKERS",
        help="HOST:PORT or unix:PATH of a worker; repeat for several, or give a name that has several "
        "records. Default: a private worker.",
    ),
]
Redis = Annotated[
    str | None,
    typer.Option(
        "--redis",
        envvar="SPANSERVE_REDIS",
        help="redis://HOST:PORT/DB, rediss:// for TLS, redis+sentinel://HOST,HOST/NAME, redis+cluster://HOST,HOST, "
        "unix:///PATH.",
    ),
]
Queue = Annotated[str, typer.Option("--queue", envvar="SPANSERVE_QUEUE", help="Name of the queue in Redis.")]
MetricName = Annotated[
    str | None,
    typer.Option(
        "--metric",
        help="How answers are scored: squad, mlqa:LANG (en, es, hi, vi, de, ar, zh), cmrc2018, drcd, korquad. "
        "Default: squad.",
    ),
]
ResultLine = Annotated[
    bool,
    typer.Option(
        "--result-line", help="Print scores in one line as the public sample does: SQUAD results: ..."
    ),
]
LongContextsOption = Annotated[
    LongContexts,
    typer.Option(
        "--long-contexts",
        help="What to do with contexts over 48 KiB or 64 windows: refuse, or split into overlapping tasks.",
    ),
]
AllowErrors = Annotated[
    bool, typer.Option("--allow-errors", help="End with status 0 even if some questions have no answer.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text for people.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsOptions:
    """TLS to workers, and the credentials shown to them."""

    tls_ca: Annotated[
        Path | None, typer.Option(envvar="SPANSERVE_TLS_CA", help="TLS: certificates to trust, PEM.")
    ] = None
    tls_cert: Annotated[
        Path | None, typer.Option(envvar="SPANSERVE_TLS_CLIENT_CERT", help="TLS: client certificate, PEM.")
    ] = None
    tls_key: Annotated[
        Path | None, typer.Option(envvar="SPANSERVE_TLS_CLIENT_KEY", help="TLS: client key, PEM.")
    ] = None

    token_file: Annotated[
        Path | None,
        typer.Option(envvar="SPANSERVE_TOKEN_FILE", help="File with the token to show to workers, over TLS."),
    ] = None

    def token(self) -> Token | None:
        """The token, if there is to be one."""
        return None if self.token_file is None else Token(self.token_file)

    def files(self) -> Tls:
        """The files that are named."""
        return Tls(ca=self.tls_ca, cert=self.tls_cert, key=self.tls_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerOptions:
    """How answers are searched for."""

    n_best: Annotated[int, typer.Option(help="Candidate spans kept per question.")] = 20
    max_answer_length: Annotated[int, typer.Option(help="Longest answer in tokens.")] = 30
    doc_stride: Annotated[int, typer.Option(help="Tokens from one window to the next.")] = 128
    max_query_length: Annotated[int, typer.Option(help="Tokens of a question that are kept.")] = 64

    def checked(self) -> Options:
        """The options of a task.

        Raises:
            Refusal: one is out of its range.
        """
        return Options(
            n_best=self.n_best,
            max_answer_length=self.max_answer_length,
            doc_stride=self.doc_stride,
            max_query_length=self.max_query_length,
        )
