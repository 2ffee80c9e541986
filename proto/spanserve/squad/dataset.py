"""A data set in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from spanserve.contract import Options, Refusal, Task
from spanserve.squad.passage import DatasetQuestion, Flaw, Passage
from spanserve.squad.shard import WHOLE, Shard, checked
from spanserve.squad.tasks import make_tasks


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set, or one shard of it. `sha256` is that of the whole file in both cases."""

    name: str
    #: "2.0" where questions may be impossible, else "1.1".
    version: str
    #: sha256 (hex) of the bytes of the file.
    sha256: str
    passages: tuple[Passage, ...]
    part: Shard = WHOLE
    #: What cannot be asked and scored; of shards, the first has them.
    flaws: tuple[Flaw, ...] = ()
    #: What a reader of the scores should know, a sentence each.
    notes: tuple[str, ...] = ()

    @property
    def has_null_answers(self) -> bool:
        """Whether "no answer" is a possible answer."""
        return self.version == "2.0"

    @cached_property
    def question_ids(self) -> tuple[str, ...]:
        """What ends in an answer or an error: every question by its id, every flaw by its place."""
        return (
            *(question.id for _, question in self.questions()),
            *(flaw.where for flaw in self.flaws),
        )

    def questions(self) -> Iterator[tuple[Passage, DatasetQuestion]]:
        """Every question with its passage, in the order of the file."""
        for passage in self.passages:
            for question in passage.questions:
                yield passage, question

    def shard(self, index: int, count: int) -> Dataset:
        """Shard `index` (from 1) of `count`: whole passages, question counts as equal as they allow.

        The largest passage goes first to the shard with the fewest questions, so shards differ by less
        than one passage. The same file always gives the same shards.

        Raises:
            SquadError: no such shard.
        """
        assert self.part == WHOLE, "a shard is cut from the whole data set"
        part = checked(Shard(index, count), f"shard {index}/{count}")
        loads = [0] * count
        chosen = []
        for passage in sorted(self.passages, key=lambda p: (-len(p.questions), p.index)):
            lightest = loads.index(min(loads))
            loads[lightest] += len(passage.questions)
            if lightest == index - 1:
                chosen.append(passage)
        passages = tuple(sorted(chosen, key=lambda p: p.index))
        return replace(self, passages=passages, part=part, flaws=self.flaws if index == 1 else ())

    def tasks(
        self, run_id: str, options: Options, timeout_ms: int | None = None
    ) -> tuple[list[Task], dict[str, Refusal]]:
        """One task per passage, or several where it has too many questions for one.

        Ids depend on the file alone: `p00012`, or `p00012.1`, `p00012.2` for a divided passage.

        Returns:
            The tasks, and for each question that no task can carry, and each flaw, the reason. Together they
            hold every one of `question_ids` once.

        Raises:
            Refusal: `run_id` or `timeout_ms` is outside its limits.
        """
        tasks, refused = make_tasks(self.passages, run_id, options, timeout_ms)
        return tasks, refused | {flaw.where: Refusal.invalid("data set", flaw.message) for flaw in self.flaws}
