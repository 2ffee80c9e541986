"""`spanserve ask`."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from spanserve.client import AsyncClient, Client
from spanserve.client.commands.options import AllowErrors, Json, Workers
from spanserve.client.commands.transports import TransportOptions
from spanserve.client.errors import ClientError
from spanserve.contract import QuestionResult
from spanserve.contract.error_json import error_to_json
from spanserve.options import application, grouped
from spanserve.options.terminal import Terminal

app = application()

#: Exit status if a question could not be answered.
EXIT_UNANSWERED = 1
#: Characters of the context that are shown on each side of an answer.
AROUND = 60
#: A private worker for one text does not measure how large its batches should be: that takes a second.
PRIVATE = ("--memory", "small")

_EXAMPLES = """\b
Examples:
  spanserve ask -c "The harbour froze in 1871." "When did the harbour freeze?"
  spanserve ask --worker localhost:50051 -c @passage.txt "Who built it?" "When?"
  spanserve ask --redis redis://queue.internal:6379 -c @passage.txt "Who built it?"
  cat passage.txt | spanserve ask -c - --json "Who built it?"
\b
Exit status: 0 every question answered, 1 some were not (0 with --allow-errors), 2 bad input or no worker or no Redis.
"""


@app.command("ask", epilog=_EXAMPLES)
@grouped
def ask(
    typed: typer.Context,
    *,
    questions: Annotated[list[str], typer.Argument(help="Questions about the context.")],
    context: Annotated[
        str, typer.Option("--context", "-c", help="The text, @FILE, or - for standard input.")
    ],
    worker: Workers = None,
    transport: TransportOptions,
    allow_errors: AllowErrors = False,
    json_output: Json = False,
) -> None:
    """Ask questions about a text and see the answers in it."""
    text = _read_context(context)
    with contextlib.ExitStack() as stack:
        connect = transport.maker(typed, worker, stack, PRIVATE)
        client = stack.enter_context(Client(connect=lambda: AsyncClient(transport=connect())))
        client.wait_ready()
        results = client.ask(text, questions)
    if json_output:
        sys.stdout.write(json.dumps([_to_json(r, q) for r, q in zip(results, questions, strict=True)]) + "\n")
    else:
        console = Terminal()
        marked = console.is_terminal
        for question, result in zip(questions, results, strict=True):
            console.print(_in_context(text, question, result, marked=marked), soft_wrap=not marked)
    if not allow_errors and any(result.error is not None for result in results):
        raise typer.Exit(EXIT_UNANSWERED)


def _read_context(context: str) -> str:
    try:
        if context == "-":
            return sys.stdin.read()
        if context.startswith("@"):
            return Path(context[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ClientError(f"context {context} cannot be read: {error}") from None
    return context


def _to_json(result: QuestionResult, question: str) -> dict[str, object]:
    if result.answer is None:
        assert result.error is not None
        return {"question": question, "error": error_to_json(result.error)}
    best = result.answer.best
    return {
        "question": question,
        "text": best.text,
        "start": best.start,
        "end": best.end,
        "score": best.score,
        "probability": result.answer.probability,
        "no_answer_score": result.answer.no_answer_score,
    }


def _in_context(context: str, question: str, result: QuestionResult, *, marked: bool) -> Text:
    """The question, and the answer where it stands.

    Args:
        marked: colours can be seen; where they cannot, the answer also has a line of its own.
    """
    shown = Text(f"{question}\n", style="bold")
    if result.answer is None:
        return shown.append(f"  {result.error}\n", style="red")
    best = result.answer.best
    before, after = context[max(0, best.start - AROUND) : best.start], context[best.end : best.end + AROUND]
    if not marked:
        shown.append(f"  {' '.join(best.text.splitlines())}\n")
    shown.append("  ")
    shown.append(("…" if best.start > AROUND else "") + before, style="dim")
    shown.append(best.text, style="bold green")
    shown.append(after + ("…" if best.end + AROUND < len(context) else ""), style="dim")
    return shown.append(f"  (score {best.score:.2f})\n", style="dim")
