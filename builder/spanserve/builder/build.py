"""A build from end to end. Everything happens in a temporary folder; the bundle appears whole, at the end."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from spanserve.builder.checkpoint import LoadedModel, find_checkpoint, load_model
from spanserve.builder.errors import BuildError
from spanserve.builder.goldens import choose_goldens
from spanserve.builder.prior import prior_cost
from spanserve.builder.profile import measure
from spanserve.builder.samples import demo_tasks, one_by_one, read_tasks, windows
from spanserve.builder.targets import BuildRequest, Compiled, Target
from spanserve.builder.tokenizer import LoadedTokenizer, load_tokenizer
from spanserve.builder.verify import Asked, ask_checkpoint, compare, judge
from spanserve.bundle import Bundle, CostTable, Manifest, Verification, write_bundle
from spanserve.bundle.golden import goldens_to_json
from spanserve.bundle.manifest import MANIFEST_NAME, TOKENIZER_NAME
from spanserve.contract import Task
from spanserve.device import Device, DeviceError
from spanserve.qa import Encoder, Window

#: Questions that the compiled graph must answer like the checkpoint.
VERIFIED_QUESTIONS = 100
#: Windows that calibration looks at.
CALIBRATION_WINDOWS = 300
#: In the manifest of a bundle that was not run by its builder.
NOT_RUN = Verification(windows=0, max_logit_error=0, mean_logit_error=0, answer_agreement=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to build from what."""

    #: Folder or hub id.
    checkpoint: str
    output: Path
    target: Target
    #: None: the target's first.
    precision: str | None = None
    max_batch_size: int = 16
    #: Tokens of the longest window.
    max_seq_length: int = 384
    #: None: decided by the checkpoint's files.
    lower_case: bool | None = None
    #: SQuAD file whose text sets the ranges of a calibrated precision; None: the demo questions.
    calibration: Path | None = None
    #: None: the checkpoint's name and the precision.
    name: str | None = None
    #: Write format 1, for workers of releases before format 2.
    older_format: bool = False
    #: Replace a bundle at `output`.
    force: bool = False


@dataclass(frozen=True, slots=True)
class Built:
    """A bundle just written, and why its tokenizer lowers case or does not."""

    bundle: Bundle
    lower_case_reason: str


@dataclass(frozen=True, slots=True)
class _Proof:
    """What running the graph has shown, or what stands in its place."""

    verification: Verification
    asked: list[Asked]
    cost: CostTable


def build(recipe: Recipe, on_step: Callable[[str], None] = lambda step: None) -> Built:
    """Build, verify and write a bundle.

    Args:
        on_step: called with a few words at the beginning of every step.

    Raises:
        BuildError: the checkpoint, the target or the result is not fit.
        BundleError: the output folder cannot be used.
        DeviceError: the device of the target failed.
    """
    _check_output(recipe)
    precision = _precision(recipe)
    on_step("loading the checkpoint")
    checkpoint = find_checkpoint(recipe.checkpoint)
    model = load_model(checkpoint)
    if recipe.max_seq_length > model.max_positions:
        raise BuildError(
            f"max_seq_length {recipe.max_seq_length} is over the model's {model.max_positions} positions"
        )
    tokenizer = load_tokenizer(
        checkpoint.folder, lower_case=recipe.lower_case, vocab_size=model.info.vocab_size
    )
    on_step(f"tokenizer {'lowers' if tokenizer.info.lower_case else 'keeps'} case: {tokenizer.reason}")
    with tempfile.TemporaryDirectory(prefix="spanserve-build-") as folder:
        bundle = _build_in(Path(folder), recipe, precision, model, tokenizer, on_step)
    return Built(bundle, tokenizer.reason)


def _build_in(
    work: Path,
    recipe: Recipe,
    precision: str,
    model: LoadedModel,
    tokenizer: LoadedTokenizer,
    on_step: Callable[[str], None],
) -> Bundle:
    (work / TOKENIZER_NAME).write_text(tokenizer.text, encoding="utf-8")
    encoder = Encoder(
        work / TOKENIZER_NAME,
        tokenizer.info,
        vocab_size=model.info.vocab_size,
        max_seq_length=recipe.max_seq_length,
    )
    target = recipe.target
    calibration: list[Window] = []
    if precision in target.calibrated:
        calibration = _calibration(recipe, encoder)
        on_step(f"calibration text: {len(calibration)} windows")
    compiled = target.compile(
        BuildRequest(
            model=model,
            tokenizer=tokenizer.info,
            precision=precision,
            max_batch_size=recipe.max_batch_size,
            max_seq_length=recipe.max_seq_length,
            calibration=calibration,
            folder=work,
            on_step=on_step,
        )
    )
    draft = _draft(recipe, precision, model, tokenizer, compiled)
    device = target.open(Bundle(work, draft))
    if device is None:
        on_step("asking the checkpoint for goldens; the graph itself is not run")
        asked = ask_checkpoint(model.module, encoder, _questions(), draft)
        proof = _Proof(NOT_RUN, asked, prior_cost(draft))
    else:
        with closing(device):
            proof = _prove(device, model.module, encoder, precision, on_step, target.without_device)
    on_step("writing the bundle")
    return write_bundle(
        recipe.output,
        {
            **{name: work / name for name in (*compiled.files, TOKENIZER_NAME)},
            draft.goldens: goldens_to_json(choose_goldens(proof.asked)),
            draft.cost_table: proof.cost.to_json(),
        },
        draft.model_copy(update={"verification": proof.verification}),
        replace=recipe.force,
        older=recipe.older_format,
    )


def _prove(
    device: Device,
    model: Any,
    encoder: Encoder,
    precision: str,
    on_step: Callable[[str], None],
    without_device: str,
) -> _Proof:
    try:
        device.start()
    except DeviceError as error:
        raise DeviceError("; ".join(filter(None, (str(error), without_device)))) from None
    on_step("comparing its answers with the checkpoint's")
    verification, asked = compare(model, device, encoder, _questions())
    judge(verification, precision)
    on_step("measuring the cost of batches")
    return _Proof(verification, asked, measure(device))


def _check_output(recipe: Recipe) -> None:
    """Refuse now what would be refused after minutes of work."""
    is_bundle = (recipe.output / MANIFEST_NAME).is_file()
    if recipe.output.exists() and not (recipe.force and is_bundle):
        hint = "use --force to replace it" if is_bundle else "it is no bundle"
        raise BuildError(f"{recipe.output} exists already: {hint}")


def _precision(recipe: Recipe) -> str:
    """The precision, once it and the other options are found to fit the target."""
    target = recipe.target
    precision = recipe.precision or target.precisions[0]
    if precision not in target.precisions:
        known = ", ".join(target.precisions)
        raise BuildError(f"precision {precision!r} does not exist for {target.name}, only {known}")
    if recipe.calibration is not None and precision not in target.calibrated:
        raise BuildError(f"{precision} needs no calibration: leave --calibration out")
    target.check(precision, recipe.max_seq_length)
    return precision


def _draft(
    recipe: Recipe, precision: str, model: LoadedModel, tokenizer: LoadedTokenizer, compiled: Compiled
) -> Manifest:
    """The manifest before verification."""
    source = model.info.source
    return Manifest(
        name=recipe.name or f"{source.rsplit('/', 1)[-1]}-{precision}",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        builder=version("spanserve"),
        target=recipe.target.name,
        arch=compiled.arch,
        precision=precision,
        max_batch_size=recipe.max_batch_size,
        length_multiple=recipe.target.length_multiple(recipe.max_seq_length),
        runtime=compiled.runtime,
        model=model.info,
        tokenizer=tokenizer.info,
        graphs=compiled.graphs,
        graph_files=compiled.files,
        verification=NOT_RUN,
    )


def _questions() -> list[Task]:
    return one_by_one(demo_tasks(), VERIFIED_QUESTIONS)


def _calibration(recipe: Recipe, encoder: Encoder) -> list[Window]:
    tasks = read_tasks(recipe.calibration) if recipe.calibration else demo_tasks()
    mixed = list(islice(windows(one_by_one(tasks, CALIBRATION_WINDOWS), encoder), CALIBRATION_WINDOWS))
    if not mixed:
        raise BuildError(f"no question of the calibration text fits max_seq_length {recipe.max_seq_length}")
    return mixed
