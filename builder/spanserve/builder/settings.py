"""Settings of a precision: what `spanserve build --search-precision` tries. It imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from spanserve.builder.errors import BuildError
from spanserve.builder.recipe import Recipe
from spanserve.bundle.precision import precision_among


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to build.

    Attributes:
        algorithm: how ranges are found; empty where none are needed.
        kept: layers and kinds of operators in float32.
    """

    precision: str
    algorithm: str = ""
    kept: tuple[str, ...] = ()

    def __str__(self) -> str:
        kept = f"in float32: {', '.join(self.kept)}" if self.kept else ""
        return ", ".join(filter(None, (self.precision, self.algorithm, kept)))

    def of(self, recipe: Recipe) -> Recipe:
        """The recipe with this setting, to be written in place of what the last one wrote."""
        return replace(
            recipe,
            precisions=(self.precision,),
            calibration=recipe.calibration if self.algorithm else (),
            algorithm=self.algorithm or None,
            keep_float32=self.kept,
            force=True,
        )


def settings_of(recipe: Recipe) -> list[Setting]:
    """What there is to try: the recipe's precisions, or all that this machine can build.

    Each that is calibrated is tried with the recipe's algorithm, or with all of them; and where layers are named that
    can be kept in float32 under it, without and with them.

    Raises:
        BuildError: an option does not fit the target, or none of the settings.
    """
    target = recipe.target
    found = []
    for precision in recipe.precisions or tuple(_possible(recipe)):
        name = precision_among(target.precisions, precision)
        algorithms: tuple[str, ...] = ("",)
        if name in target.calibrated:
            algorithms = (recipe.algorithm,) if recipe.algorithm else target.algorithms
        for algorithm in algorithms:
            found.append(Setting(name, algorithm))
            if recipe.keep_float32 and name in target.mixable:
                found.append(Setting(name, algorithm, recipe.keep_float32))
    for setting in found:
        setting.of(recipe).checked()
    calibrated, mixed = any(s.algorithm for s in found), any(s.kept for s in found)
    for option, given, used in (
        ("--calibration", recipe.calibration, calibrated),
        ("--calibration-algo", recipe.algorithm, calibrated),
        ("--keep-float32", recipe.keep_float32, mixed),
    ):
        if given and not used:
            names = ", ".join(dict.fromkeys(s.precision for s in found))
            raise BuildError(f"{option} has no effect under {names}: leave it out")
    return found


def _possible(recipe: Recipe) -> Iterator[str]:
    """Precisions that this machine can build and run."""
    for precision in recipe.target.precisions:
        try:
            recipe.target.check(precision, recipe.max_seq_length)
        except BuildError:
            continue
        yield precision
