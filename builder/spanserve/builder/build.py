"""A build from end to end. Everything happens in a temporary folder; the bundle appears whole, at the end."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from spanserve.builder.checkpoint import LoadedModel, find_checkpoint, load_model
from spanserve.builder.errors import BuildError
from spanserve.builder.export import export_onnx
from spanserve.builder.goldens import choose_goldens
from spanserve.builder.profile import measure
from spanserve.builder.samples import Inputs, as_inputs, demo_tasks, one_by_one, read_tasks, windows
from spanserve.builder.targets import TARGETS, Target
from spanserve.builder.tokenizer import LoadedTokenizer, load_tokenizer
from spanserve.builder.verify import compare, judge
from spanserve.bundle import Bundle, Graph, Manifest, Verification, write_bundle
from spanserve.bundle.golden import goldens_to_json
from spanserve.bundle.manifest import COST_NAME, GOLDENS_NAME, MANIFEST_NAME, TOKENIZER_NAME
from spanserve.device import Device, DeviceSpec
from spanserve.qa import Encoder

#: Questions that the compiled graph must answer like the checkpoint.
VERIFIED_QUESTIONS = 100
#: Windows that calibration looks at.
CALIBRATION_WINDOWS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to build from what."""

    #: Folder or hub id.
    checkpoint: str
    output: Path
    target: str
    precision: str
    max_batch_size: int = 16
    #: Tokens of the longest window.
    max_seq_length: int = 384
    #: None: decided by the checkpoint's files.
    lower_case: bool | None = None
    #: SQuAD file whose text sets the ranges of a calibrated precision; None: the demo questions.
    calibration: Path | None = None
    #: None: the checkpoint's name and the precision.
    name: str | None = None
    #: Replace a bundle at `output`.
    force: bool = False


@dataclass(frozen=True, slots=True)
class Built:
    """A bundle just written, and why its tokenizer lowers case or does not."""

    bundle: Bundle
    lower_case_reason: str


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
    target = _target(recipe)
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
        bundle = _build_in(Path(folder), recipe, target, model, tokenizer, on_step)
    return Built(bundle, tokenizer.reason)


def _build_in(
    work: Path,
    recipe: Recipe,
    target: Target,
    model: LoadedModel,
    tokenizer: LoadedTokenizer,
    on_step: Callable[[str], None],
) -> Bundle:
    (work / TOKENIZER_NAME).write_text(tokenizer.text, encoding="utf-8")
    draft = _draft(recipe, target, model, tokenizer)
    encoder = Encoder(
        work / TOKENIZER_NAME,
        draft.tokenizer,
        vocab_size=draft.model.vocab_size,
        max_seq_length=draft.max_seq_length,
    )
    on_step("exporting to ONNX")
    onnx = work / "model.onnx"
    export_onnx(model.module, onnx)
    calibration: list[Inputs] = []
    if recipe.precision in target.calibrated:
        calibration = _calibration(recipe, encoder, draft)
        on_step(f"compiling for {target.name}, {recipe.precision}, calibrated on {len(calibration)} windows")
    else:
        on_step(f"compiling for {target.name}, {recipe.precision}")
    files = target.compile(onnx, recipe.precision, calibration, work)
    draft = draft.model_copy(update={"graphs": (Graph(max_length=recipe.max_seq_length, file=files[0]),)})
    device = Device(Bundle(work, draft), DeviceSpec.parse(target.device), slots=1)
    with closing(device):
        device.start()
        on_step("comparing its answers with the checkpoint's")
        questions = one_by_one(demo_tasks(), VERIFIED_QUESTIONS)
        verification, asked = compare(model.module, device, encoder, questions)
        judge(verification, recipe.precision)
        on_step("measuring the cost of batches")
        cost = measure(device)
    on_step("writing the bundle")
    return write_bundle(
        recipe.output,
        {
            **{name: work / name for name in (*files, TOKENIZER_NAME)},
            GOLDENS_NAME: goldens_to_json(choose_goldens(asked)),
            COST_NAME: cost.to_json(),
        },
        draft.model_copy(update={"verification": verification}),
        replace=recipe.force,
    )


def _check_output(recipe: Recipe) -> None:
    """Refuse now what would be refused after minutes of work."""
    is_bundle = (recipe.output / MANIFEST_NAME).is_file()
    if recipe.output.exists() and not (recipe.force and is_bundle):
        hint = "use --force to replace it" if is_bundle else "it is no bundle"
        raise BuildError(f"{recipe.output} exists already: {hint}")


def _target(recipe: Recipe) -> Target:
    target = TARGETS.get(recipe.target)
    if target is None:
        raise BuildError(f"target {recipe.target!r} is not known, only {', '.join(TARGETS)}")
    if recipe.precision not in target.precisions:
        known = ", ".join(target.precisions)
        raise BuildError(f"precision {recipe.precision!r} does not exist for {target.name}, only {known}")
    if recipe.calibration is not None and recipe.precision not in target.calibrated:
        raise BuildError(f"{recipe.precision} needs no calibration: leave --calibration out")
    if recipe.max_seq_length % target.length_multiple:
        raise BuildError(f"max_seq_length {recipe.max_seq_length} is no multiple of {target.length_multiple}")
    target.check(recipe.precision)
    return target


def _draft(recipe: Recipe, target: Target, model: LoadedModel, tokenizer: LoadedTokenizer) -> Manifest:
    """The manifest before graph and verification are known."""
    source = model.info.source
    return Manifest(
        name=recipe.name or f"{source.rsplit('/', 1)[-1]}-{recipe.precision}",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        builder=version("spanserve"),
        target=target.name,
        precision=recipe.precision,
        max_seq_length=recipe.max_seq_length,
        max_batch_size=recipe.max_batch_size,
        length_multiple=target.length_multiple,
        runtime=target.runtime(),
        model=model.info,
        tokenizer=tokenizer.info,
        graphs=(Graph(max_length=recipe.max_seq_length, file="model"),),
        verification=Verification(windows=0, max_logit_error=0, mean_logit_error=0, answer_agreement=0),
        files=(),
    )


def _calibration(recipe: Recipe, encoder: Encoder, manifest: Manifest) -> list[Inputs]:
    tasks = read_tasks(recipe.calibration) if recipe.calibration else demo_tasks()
    mixed = windows(one_by_one(tasks, CALIBRATION_WINDOWS), encoder)
    inputs = [as_inputs(window, manifest) for window in mixed][:CALIBRATION_WINDOWS]
    if not inputs:
        raise BuildError(f"no question of the calibration text fits max_seq_length {recipe.max_seq_length}")
    return inputs
