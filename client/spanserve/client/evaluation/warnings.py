"""What a reader of a run's answers should know before anything else."""

from __future__ import annotations

from spanserve.client.evaluation.results import Results
from spanserve.client.evaluation.sessions import Sessions


def warnings_of(results: Results, sessions: Sessions) -> tuple[str, ...]:
    """A sentence each."""
    warnings = []
    simulated = {worker.worker: worker.device for worker in sessions.workers if worker.simulated}
    if simulated:
        count = sum(results.by_worker[name] for name in simulated)
        devices = ", ".join(dict.fromkeys(simulated.values()))
        warnings.append(
            f"{count} questions were answered by simulated devices ({devices}): the answers are made up, and times are "
            "those of a model"
        )
    if len(results.by_model) > 1:
        digests = ", ".join(f"{digest[:12]} ({n} tasks)" for digest, n in results.by_model.items())
        warnings.append(f"the answers come from {len(results.by_model)} different models: {digests}")
    if results.conflicts:
        warnings.append(
            f"{results.conflicts} questions were answered twice, differently; the first answer counts"
        )
    warnings += [f"a worker was asked and never answered: {worker}" for worker in sessions.silent]
    return tuple(warnings)
