"""spanserve beside what its users would pick instead: `python -m tests.benchmarks.peers [PEER[:OPTION=VALUE,...]] ...`.

Each peer has an environment, a server and a client of its own. A name alone means the peer as its documentation
advises, and as a user who knows about padding sets it up; README.md says more. Rounds are interleaved.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.peers.environment import FOLDER, NotInstalled
from tests.benchmarks.peers.ours import AnswerAll, AnswerAllRedis, Spanserve
from tests.benchmarks.peers.peer import Peer, Spec
from tests.benchmarks.peers.pipelines import Optimum, Pipeline
from tests.benchmarks.peers.processes import keep_orphans
from tests.benchmarks.peers.questions import Questions
from tests.benchmarks.peers.report import draw, tables
from tests.benchmarks.peers.servers import Bento, Celery, CeleryBatches, LitServe, Mosec, Ray, Triton
from tests.benchmarks.peers.session import NotReady, Row, Session
from tests.benchmarks.setup import squad_file

KINDS: tuple[type[Peer], ...] = (
    *(Spanserve, AnswerAll, AnswerAllRedis),
    *(Mosec, LitServe, Triton, Bento, Ray, Celery, CeleryBatches, Pipeline, Optimum),
)
PEERS = {kind.name: kind for kind in KINDS}
#: Parts of its own highest rate at which questions then come to a peer.
PARTS = (0.5, 0.8)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("peers", nargs="*", metavar="PEER", help=f"default: all of {', '.join(PEERS)}")
    parser.add_argument("--dataset", type=Path, help="default: the dev set in SPANSERVE_SQUAD_DIR")
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--warm", type=int, default=300, help="questions before them that do not count")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-latency", action="store_true", help="leave the open loop out")
    parser.add_argument(
        "--plain", action="store_true", help="leave out what a user who knows about padding does"
    )
    parser.add_argument(
        "--results", type=Path, default=FOLDER / "results.jsonl", help="a line for every load"
    )
    parser.add_argument("--plot", type=Path, help="SVG of the highest rates, and of what they cost")
    parser.add_argument(
        "--report", action="store_true", help="measure nothing: tables of the results there are"
    )
    arguments = parser.parse_args()
    rows = Row.read(arguments.results) if arguments.report else _measure(arguments)
    if not rows:
        sys.exit("nothing was measured")
    print("\n".join(tables(rows)))
    if arguments.plot is not None:
        arguments.plot.write_text(draw(rows, f"{rows[0].questions} questions, medians"), encoding="utf-8")


def _measure(arguments: argparse.Namespace) -> list[Row]:
    """Every peer in every round; what is there after each is written down."""
    specs = _specs(arguments.peers or list(PEERS), plain=arguments.plain)
    questions = Questions.draw(arguments.dataset or squad_file(), arguments.questions, arguments.warm)
    keep_orphans()
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    broken: set[str] = set()
    for number in range(arguments.rounds):
        shift = number * 7 % len(specs)  # another beginning in every round
        for spec in specs[shift:] + specs[:shift]:
            if spec.text in broken:
                continue
            try:
                rows += _measured(spec, number, questions, latency=not arguments.no_latency)
            except (NotInstalled, NotReady, FileNotFoundError, RuntimeError) as error:
                broken.add(spec.text)
                print(f"left out: {error}", file=sys.stderr, flush=True)
        arguments.results.write_text("".join(f"{row.to_json()}\n" for row in rows), encoding="utf-8")
    return rows


def _specs(texts: Sequence[str], *, plain: bool) -> list[Spec]:
    """What to measure; of a peer that is named without options the expert's way as well.

    Raises:
        SystemExit: there is no such peer, or it does not take such options.
    """
    found = []
    for text in texts:
        try:
            spec = Spec.parse(text)
            kind = PEERS.get(spec.name)
            if kind is None:
                raise ValueError(f"no peer {spec.name!r}, only {', '.join(PEERS)}")
            kind.check(spec)
        except ValueError as error:
            sys.exit(str(error))
        found.append(spec)
        if not spec.options and kind.expert and not plain:
            found.append(Spec.parse(f"{spec.name}:{kind.expert}"))
    return found


def _measured(spec: Spec, number: int, questions: Questions, *, latency: bool) -> list[Row]:
    """Every load of one peer."""
    kind, rows = PEERS[spec.name], []
    with Session(kind, spec, number, questions) as session:
        for in_flight in kind.in_flight:
            rows.append(session.closed(in_flight))
            _tell(rows[-1])
        if latency and kind.own_pace:
            most = max(row.rate for row in rows)
            for part in PARTS:
                rows.append(session.open_loop(part, most))
                _tell(rows[-1])
    return rows


def _tell(row: Row) -> None:
    load = f"{row.offered:.1f}/s come" if row.part else f"{row.in_flight} in flight"
    words = json.dumps({"errors": row.errors, "error": row.error}) if row.errors else ""
    print(
        f"round {row.round + 1}, {row.spec}, {load}: {row.rate:.1f}/s, p99 {row.p99_ms or 0:.0f} ms, "
        f"{row.foreign:.2f} cores foreign {words}",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    main()
