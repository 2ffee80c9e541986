"""Two runs over the same questions, question by question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from spanserve.client.errors import OutputError
from spanserve.client.evaluation.output import write_text
from spanserve.client.report.breakdown import QUESTION_TYPES
from spanserve.client.report.page import render
from spanserve.client.report.table import QuestionRow, read_table

#: Samples that an interval is made from; drawn by the same chance every time.
SAMPLES: Final = 2000
_SEED: Final = 1
#: Questions shown of those that changed most.
MAX_CHANGES: Final = 30


@dataclass(frozen=True, slots=True)
class Pair:
    """A question in both runs."""

    before: QuestionRow
    after: QuestionRow

    @property
    def change(self) -> float:
        """F1, from -1 to 1."""
        return self.after.f1 - self.before.f1


@dataclass(frozen=True, slots=True)
class Change:
    """Scores of some questions in both runs, in percent, and how many got better or worse by F1."""

    name: str
    total: int
    exact: tuple[float, float]
    f1: tuple[float, float]
    better: int
    worse: int

    @classmethod
    def of(cls, name: str, pairs: Sequence[Pair]) -> Change:
        total = len(pairs)
        return cls(
            name,
            total,
            (
                100 * sum(p.before.exact for p in pairs) / total,
                100 * sum(p.after.exact for p in pairs) / total,
            ),
            (100 * sum(p.before.f1 for p in pairs) / total, 100 * sum(p.after.f1 for p in pairs) / total),
            sum(p.change > 0 for p in pairs),
            sum(p.change < 0 for p in pairs),
        )


@dataclass(frozen=True)
class Comparison:
    """What changed from one run to another."""

    before: str
    after: str
    pairs: tuple[Pair, ...]
    #: Questions that only one of them has.
    only_before: int
    only_after: int

    @classmethod
    def of(cls, before: Path, after: Path) -> Comparison:
        """Compare two output folders.

        Raises:
            OutputError: one has no table of questions, or they have no question in common.
        """
        old = {row.id: row for row in read_table(before)}
        new = {row.id: row for row in read_table(after)}
        pairs = tuple(Pair(row, new[name]) for name, row in old.items() if name in new)
        if not pairs:
            raise OutputError(f"{before} and {after} have no question in common")
        return cls(str(before), str(after), pairs, len(old) - len(pairs), len(new) - len(pairs))

    @cached_property
    def overall(self) -> Change:
        return Change.of("all", self.pairs)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes the runs hard to compare, a sentence each."""
        warnings = []
        then, now = {p.before.metric for p in self.pairs}, {p.after.metric for p in self.pairs}
        if then != now:
            scripts = " and ".join(", ".join(sorted(names)) for names in (then, now))
            warnings.append(f"the runs are scored by different scripts, {scripts}: scores cannot be compared")
        if alone := self.only_before + self.only_after:
            warnings.append(f"{alone} questions are in only one of the runs, and are left out")
        if changed := sum(p.before.question != p.after.question for p in self.pairs):
            warnings.append(f"{changed} questions have the same id but different texts in the runs")
        return tuple(warnings)

    @cached_property
    def types(self) -> list[Change]:
        """By question type, in the order of reports."""
        members: defaultdict[str, list[Pair]] = defaultdict(list)
        for pair in self.pairs:
            members[pair.before.type].append(pair)
        order = {name: place for place, name in enumerate(QUESTION_TYPES)}
        return [
            Change.of(name, members[name]) for name in sorted(members, key=lambda n: order.get(n, len(order)))
        ]

    @cached_property
    def exact_flips(self) -> tuple[int, int]:
        """Questions whose exact match was won, and lost."""
        return (
            sum(p.after.exact > p.before.exact for p in self.pairs),
            sum(p.after.exact < p.before.exact for p in self.pairs),
        )

    @cached_property
    def p_value(self) -> float:
        """McNemar's exact test: how likely so uneven a split of the flips is, if both runs are equally good."""
        return mcnemar(*self.exact_flips)

    @property
    def p_shown(self) -> str:
        """p for people."""
        return f"p {self.p_value:.4f}" if self.p_value >= 0.0001 else "p < 0.0001"

    @cached_property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the change of F1, in percent."""
        sums: defaultdict[int, list[float]] = defaultdict(list)
        for pair in self.pairs:
            sums[pair.before.passage].append(pair.change)
        low, high = bootstrap(list(sums.values()))
        return 100 * low, 100 * high

    @property
    def changes(self) -> list[Pair]:
        """The questions that changed most, losses first."""
        ascending = sorted(self.pairs, key=lambda pair: pair.change)
        losses = [pair for pair in ascending[:MAX_CHANGES] if pair.change < 0]
        return losses + [pair for pair in ascending[: -MAX_CHANGES - 1 : -1] if pair.change > 0]


def mcnemar(won: int, lost: int) -> float:
    """Two-sided exact p of McNemar's test: each flip is won or lost with even odds. 1 without any."""
    flips, fewer = won + lost, min(won, lost)
    ways, total = 1, 0
    for k in range(fewer + 1):
        total += ways
        ways = ways * (flips - k) // (k + 1)
    return min(1.0, float(2 * total / 2**flips))


def bootstrap(groups: Sequence[Sequence[float]]) -> tuple[float, float]:
    """95 % interval of a mean, by drawing whole groups: what belongs together is drawn together."""
    sums = np.array([sum(group) for group in groups])
    sizes = np.array([len(group) for group in groups])
    chance = np.random.default_rng(_SEED)
    means = []
    for _ in range(SAMPLES):
        drawn = chance.integers(0, len(groups), len(groups))
        means.append(sums[drawn].sum() / sizes[drawn].sum())
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def write_comparison(path: Path, comparison: Comparison) -> None:
    """Write a comparison as HTML.

    Raises:
        OutputError: it cannot be written.
    """
    write_text(path, render("comparison.html.jinja", comparison=comparison))
