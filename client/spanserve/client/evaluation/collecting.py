"""Tasks that have no result yet, and what their results make of those of the run."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from spanserve.client.evaluation.ledger import LedgerHeader
from spanserve.client.evaluation.long_contexts import LongContexts, Splitter
from spanserve.client.evaluation.results import Results
from spanserve.contract import Task, TaskResult
from spanserve.squad import Dataset


class Collecting:
    """The tasks of a data set on their way to results.

    Args:
        header: of the run: options, run id, and what becomes of long contexts.
    """

    def __init__(self, dataset: Dataset, header: LedgerHeader) -> None:
        self.results = Results(dataset.question_ids)
        tasks, refused = dataset.tasks(header.run_id, header.options)
        self._splitter: Splitter | None = None
        if header.long_contexts is LongContexts.SPLIT:
            make = partial(Task, run_id=header.run_id, options=header.options)
            self._splitter = Splitter(make, header.options.n_best)
            tasks += self._splitter.first(dataset, refused)
        self.results.refuse(refused)
        self._open = {task.id: task for task in tasks}

    @property
    def open(self) -> Iterable[Task]:
        """Tasks without a result; a result may add some."""
        return self._open.values()

    def take(self, result: TaskResult) -> int:
        """Take in a result that is final; how many questions it finished."""
        task = self._open.pop(result.id, None)
        if self._splitter is None:
            return self.results.add(result)
        if task is None:  # a second result: that of a piece says nothing about the whole
            return 0 if self._splitter.is_piece(result.id) else self.results.add(result)
        whole, more = self._splitter.take(task, result)
        self._open |= {task.id: task for task in more}
        return self.results.add(whole) if whole else 0
