"""What to build from what. It imports nothing heavy: what is wrong with options is reported before torch is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spanserve.builder.errors import BuildError
from spanserve.builder.targets import Target
from spanserve.bundle.manifest import MANIFEST_NAME
from spanserve.bundle.precision import precision_among


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to build from what."""

    #: Folder or hub id.
    checkpoint: str
    output: Path
    target: Target
    #: One variant each, in this order; none: what is best on the target here.
    precisions: tuple[str, ...] = ()
    max_batch_size: int = 16
    #: Tokens of the longest window.
    max_seq_length: int = 384
    #: None: decided by the checkpoint's files.
    lower_case: bool | None = None
    #: None: decided by the checkpoint's answers; see `spanserve.builder.early`.
    answers_early: bool | None = None
    #: Data sets whose text sets the ranges of a calibrated precision; none: the demo questions.
    calibration: tuple[Path, ...] = ()
    #: How the ranges are found, one of the target's `algorithms`; None: the first.
    algorithm: str | None = None
    #: Layers and kinds of operators that stay in float32.
    keep_float32: tuple[str, ...] = ()
    #: Data set whose questions the graph must answer like the checkpoint; None: the demo questions.
    questions: Path | None = None
    #: None: the checkpoint's name, the precisions, and `mixed` if something is kept in float32.
    name: str | None = None
    #: Write format 1, for workers of releases before format 2.
    older_format: bool = False
    #: Replace a bundle at `output`.
    force: bool = False

    def checked(self) -> tuple[str, ...]:
        """The precisions to build, once all that is asked for is found possible.

        Raises:
            BuildError: an option does not fit the target, or something is in the way.
        """
        is_bundle = (self.output / MANIFEST_NAME).is_file()
        if self.output.exists() and not (self.force and is_bundle):
            hint = "use --force to replace it" if is_bundle else "it is not a bundle"
            raise BuildError(f"{self.output} exists already: {hint}")
        target = self.target
        named = (precision_among(target.precisions, name) for name in self.precisions)
        precisions = tuple(dict.fromkeys(named)) or target.best_precisions()
        if self.older_format and not self.precisions:
            precisions = precisions[-1:]  # of those that are best, the one that runs everywhere
        for precision in precisions:
            if precision not in target.precisions:
                known = ", ".join(target.precisions)
                raise BuildError(f"precision {precision!r} does not exist for {target.name}, only {known}")
            target.check(precision, self.max_seq_length)
        if len(precisions) > 1 and (self.older_format or not target.has_variants):
            what = "format 1" if self.older_format else f"target {target.name}"
            raise BuildError(f"{what} takes one precision, not {len(precisions)}: {', '.join(precisions)}")
        self._check_calibration(precisions)
        self._check_kept(precisions)
        if self.questions is not None and not self.questions.is_file():
            raise BuildError(f"questions {self.questions} is not a file")
        return precisions

    def _check_calibration(self, precisions: tuple[str, ...]) -> None:
        target = self.target
        if (self.calibration or self.algorithm) and not target.calibrated.intersection(precisions):
            option = "--calibration" if self.calibration else "--calibration-algo"
            raise BuildError(f"{', '.join(precisions)} needs no calibration: leave {option} out")
        for path in self.calibration:
            if not path.is_file():
                raise BuildError(f"calibration {path} is not a file")
        if self.algorithm is None:
            return
        if self.algorithm not in target.algorithms:
            known = ", ".join(target.algorithms)
            raise BuildError(
                f"calibration_algo {self.algorithm!r} does not exist for {target.name}, only {known}"
            )
        target.check_algorithm(self.algorithm)

    def _check_kept(self, precisions: tuple[str, ...]) -> None:
        for precision in precisions if self.keep_float32 else ():
            if precision not in self.target.mixable:
                able = ", ".join(name for name in self.target.precisions if name in self.target.mixable)
                raise BuildError(f"keep_float32 has no effect under {precision}, only under {able}")
