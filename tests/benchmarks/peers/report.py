"""What was measured, as tables and a drawing for the docs."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from html import escape

from tests.benchmarks.peers.session import Row

#: Peers that are spanserve.
OURS = ("spanserve", "answer-all", "answer-all-redis")
_WIDTH, _NAMES, _LINE, _HEAD = 760, 300, 24, 38
_STYLE = "text{font:12px sans-serif;fill:#222}.title{font-size:15px}.own{fill:#1f5fa8}.peer{fill:#9aa7b8}"


def tables(rows: Sequence[Row]) -> Iterator[str]:
    """Markdown, line by line: rates of the closed loop, times of the open one, what failed. Medians over the rounds."""
    columns = "questions/s", "least to most", "in flight", "CPU s per 1,000", "MB", "as reference", "exact"
    yield f"| Peer | {' | '.join(columns)} | foreign cores |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for spec, in_flight, found in best(rows):
        rates = [row.rate for row in found]
        yield (
            f"| `{spec}` | {_median(found, lambda row: row.rate):.1f} | {min(rates):.1f} to {max(rates):.1f} "
            f"| {in_flight if in_flight > 1 else 'all'} | {_median(found, lambda row: row.processor_s_per_1000):.1f} "
            f"| {_median(found, lambda row: row.memory_mb):.0f} | {_identical(found)} "
            f"| {_median(found, lambda row: row.exact):.1f} | {_median(found, lambda row: row.foreign):.1f} |"
        )
    paced = _grouped(row for row in rows if row.part)
    if paced:
        yield ""
        yield "| Peer | part of its own most | come/s | p50 ms | p99 ms |"
        yield "|---|---:|---:|---:|---:|"
    for (spec, _, part), found in sorted(paced.items(), key=lambda one: (one[0][2], one[0][0])):
        times = (_median(found, lambda row: row.p50_ms or 0), _median(found, lambda row: row.p99_ms or 0))
        offered = _median(found, lambda row: row.offered)
        yield f"| `{spec}` | {part:g} | {offered:.1f} | {times[0]:.0f} | {times[1]:.0f} |"
    failed = [row for row in rows if row.errors]
    if failed:
        yield ""
    for row in failed:
        load = f"{row.offered:.1f}/s" if row.part else f"{row.in_flight} in flight"
        yield f"- `{row.spec}`, {load}: {row.errors} of {row.questions} questions failed: {row.error}"


def best(rows: Sequence[Row]) -> list[tuple[str, int, list[Row]]]:
    """Of every peer the level in flight with the highest median rate, the fastest peer first."""
    fastest: dict[str, tuple[float, int, list[Row]]] = {}
    for (spec, in_flight, _), found in _grouped(row for row in rows if not row.part).items():
        rate = _median(found, lambda row: row.rate)
        if spec not in fastest or rate > fastest[spec][0]:
            fastest[spec] = (rate, in_flight, found)
    ordered = sorted(fastest.items(), key=lambda one: -one[1][0])
    return [(spec, in_flight, found) for spec, (_, in_flight, found) in ordered]


def draw(rows: Sequence[Row], title: str) -> str:
    """Bars of the highest rates, and of the processor time they took, as the text of an SVG file that stands alone."""
    found = best(rows)
    rates = [(spec, _median(group, lambda row: row.rate)) for spec, _, group in found]
    costs = [(spec, _median(group, lambda row: row.processor_s_per_1000)) for spec, _, group in found]
    panel = _HEAD + _LINE * len(found)
    height = _HEAD + 2 * panel
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        f'<text class="title" x="16" y="26">{escape(title)}</text>',
        *_bars("questions per second", rates, _HEAD),
        *_bars(
            "processor seconds per 1,000 questions: less is better",
            sorted(costs, key=lambda one: one[1]),
            _HEAD + panel,
        ),
    ]
    return "\n".join([*parts, "</svg>\n"])


def _bars(title: str, found: Sequence[tuple[str, float]], top: int) -> Iterator[str]:
    """A bar for each, the longest as long as there is room."""
    most = max((value for _, value in found), default=1.0)
    yield f'<text x="{_NAMES}" y="{top + 20}">{escape(title)}</text>'
    for number, (spec, value) in enumerate(found):
        y = top + 28 + _LINE * number
        width = (_WIDTH - _NAMES - 70) * value / most
        kind = "own" if spec.partition(":")[0] in OURS else "peer"
        yield f'<text x="{_NAMES - 8}" y="{y + 13}" text-anchor="end">{escape(spec)}</text>'
        yield f'<rect class="{kind}" x="{_NAMES}" y="{y}" width="{width:.1f}" height="{_LINE - 7}"/>'
        yield f'<text x="{_NAMES + width + 6:.1f}" y="{y + 13}">{value:.1f}</text>'


def _grouped(rows: Iterator[Row]) -> dict[tuple[str, int, float], list[Row]]:
    groups: defaultdict[tuple[str, int, float], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.spec, row.in_flight, row.part].append(row)
    return dict(groups)


def _median(rows: Sequence[Row], value: Callable[[Row], float]) -> float:
    return statistics.median(map(value, rows))


def _identical(rows: Sequence[Row]) -> str:
    known = [row.identical for row in rows if row.identical is not None]
    return f"{statistics.median(known):.1f} %" if known else "-"
