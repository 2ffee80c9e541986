"""A build from end to end. Everything happens in a temporary folder; the bundle appears whole, at the end."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from spanserve.builder.checkpoint import LoadedModel, find_checkpoint, load_model
from spanserve.builder.early import marks_early
from spanserve.builder.errors import BuildError
from spanserve.builder.goldens import choose_goldens
from spanserve.builder.prior import prior_cost
from spanserve.builder.profile import measure
from spanserve.builder.recipe import Recipe
from spanserve.builder.samples import demo_tasks, one_by_one, read_tasks, windows
from spanserve.builder.tally import Tally
from spanserve.builder.targets import BuildRequest, Compiled
from spanserve.builder.tokenizer import LoadedTokenizer, load_tokenizer
from spanserve.builder.verify import Asked, ask_checkpoint, compare, judge
from spanserve.bundle import Bundle, CostTable, Manifest, TokenizerInfo, Verification, write_bundle
from spanserve.bundle.golden import goldens_to_json
from spanserve.bundle.manifest import TOKENIZER_NAME
from spanserve.contract import Task
from spanserve.device import Device, DeviceError
from spanserve.qa import Encoder, Window

#: Questions that the compiled graph must answer like the checkpoint.
VERIFIED_QUESTIONS = 100
#: Windows that calibration looks at.
CALIBRATION_WINDOWS = 300
#: In the manifest of a bundle that was not run by its builder.
NOT_RUN = Verification(windows=0, max_logit_error=0, mean_logit_error=0, answer_agreement=0)


@dataclass(frozen=True, slots=True)
class Built:
    """A bundle just written, and why its tokenizer lowers case or does not."""

    bundle: Bundle
    lower_case_reason: str
    #: What its last variant answered to the questions that it was compared on: question id -> text.
    answers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Proof:
    """What running the graph has shown, or what is used in its place."""

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
    precisions = recipe.checked()
    on_step("loading the checkpoint")
    checkpoint = find_checkpoint(recipe.checkpoint)
    model = load_model(checkpoint)
    if recipe.max_seq_length > model.max_positions:
        raise BuildError(
            f"max_seq_length {recipe.max_seq_length} is over the model's {model.max_positions} positions"
        )
    tokenizer = load_tokenizer(
        checkpoint.folder,
        lower_case=recipe.lower_case,
        vocab_size=model.info.vocab_size,
        default=model.family.tokenizer,
    )
    _check_pair(recipe, model, tokenizer)
    on_step(f"tokenizer {'lowers' if tokenizer.info.lower_case else 'keeps'} case: {tokenizer.reason}")
    with tempfile.TemporaryDirectory(prefix="spanserve-build-") as folder:
        bundle, asked = _build_in(Path(folder), recipe, precisions, model, tokenizer, on_step)
    answers = {one.task.questions[0].id: one.answer.best.text for one in asked}
    return Built(bundle, tokenizer.reason, answers)


def _build_in(
    work: Path,
    recipe: Recipe,
    precisions: tuple[str, ...],
    model: LoadedModel,
    tokenizer: LoadedTokenizer,
    on_step: Callable[[str], None],
) -> tuple[Bundle, list[Asked]]:
    (work / TOKENIZER_NAME).write_text(tokenizer.text, encoding="utf-8")
    encoder = _encoder(work, recipe, model, tokenizer.info)
    target = recipe.target
    calibration: list[Window] = []
    if target.calibrated.intersection(precisions):
        calibration = _calibration(recipe, encoder)
        on_step(f"calibration text: {len(calibration)} windows")
    graphs: dict[str, Compiled] = {}
    files: dict[str, Path | str] = {TOKENIZER_NAME: work / TOKENIZER_NAME}
    variants = []
    for precision in precisions:
        graph = target.graph_of(precision)
        if graph not in graphs:
            graphs[graph] = target.compile(
                BuildRequest(
                    model=model,
                    precision=graph,
                    max_batch_size=recipe.max_batch_size,
                    max_seq_length=recipe.max_seq_length,
                    calibration=calibration,
                    algorithm=recipe.algorithm or target.algorithms[0],
                    keep_float32=recipe.keep_float32,
                    folder=work,
                    stem="model" if not graphs else f"model-{graph}",
                    on_step=on_step,
                )
            )
        compiled = graphs[graph]
        draft = _draft(recipe, precisions, precision, model, tokenizer, compiled)
        if tokenizer.overlooked:
            tokenizer, encoder = _read_right(work, recipe, model, tokenizer, encoder, draft, on_step)
            draft = draft.model_copy(update={"tokenizer": tokenizer.info})
        device = target.open(Bundle(work, draft))
        if device is None:
            on_step("asking the checkpoint for goldens; the graph itself is not run")
            asked = ask_checkpoint(
                model.module, encoder, Tally(_questions(recipe), "questions asked", on_step), draft
            )
            proof = _Proof(NOT_RUN, asked, prior_cost(draft))
        else:
            with closing(device):
                proof = _prove(device, model.module, encoder, precision, on_step, recipe)
        files |= {name: work / name for name in compiled.files}
        files[draft.goldens] = goldens_to_json(choose_goldens(proof.asked))
        files[draft.cost_table] = proof.cost.to_json()
        variants.append(draft.model_copy(update={"verification": proof.verification}))
    on_step("writing the bundle")
    bundle = write_bundle(recipe.output, files, *variants, replace=recipe.force, older=recipe.older_format)
    return bundle, proof.asked


def _encoder(work: Path, recipe: Recipe, model: LoadedModel, info: TokenizerInfo) -> Encoder:
    return Encoder(
        work / TOKENIZER_NAME, info, vocab_size=model.info.vocab_size, max_seq_length=recipe.max_seq_length
    )


def _read_right(
    work: Path,
    recipe: Recipe,
    model: LoadedModel,
    tokenizer: LoadedTokenizer,
    exact: Encoder,
    draft: Manifest,
    on_step: Callable[[str], None],
) -> tuple[LoadedTokenizer, Encoder]:
    """The tokenizer and its encoder, once it is decided whether the model marks answers early."""
    info = tokenizer.info.model_copy(update={"early": 1})
    early = _encoder(work, recipe, model, info)
    found, reason = recipe.answers_early, "as set by --answers-early"
    if found is None:
        found, reason = marks_early(model.module, exact, early, draft)
    on_step(f"answers are read {'a token early, as run_squad reads them' if found else 'exactly'}: {reason}")
    decided = replace(tokenizer, overlooked=False, info=info if found else tokenizer.info)
    return decided, early if found else exact


def _check_pair(recipe: Recipe, model: LoadedModel, tokenizer: LoadedTokenizer) -> None:
    """Check that tokenizer and model, and what was asked of both, fit together."""
    largest = max(part.type for part in tokenizer.info.template)
    if model.family.types and largest >= model.info.type_vocab_size:
        raise BuildError(
            f"the tokenizer has token types up to {largest}, type_vocab_size of the model is "
            f"{model.info.type_vocab_size}"
        )
    if recipe.answers_early is not None and not tokenizer.overlooked:
        raise BuildError(
            "answers_early is for XLMRobertaTokenizer only: run_squad trains others to mark exactly"
        )


def _prove(
    device: Device,
    model: Any,
    encoder: Encoder,
    precision: str,
    on_step: Callable[[str], None],
    recipe: Recipe,
) -> _Proof:
    try:
        device.start()
    except DeviceError as error:
        raise DeviceError("; ".join(filter(None, (str(error), recipe.target.without_device)))) from None
    on_step("comparing its answers with the checkpoint's")
    verification, asked = compare(
        model, device, encoder, Tally(_questions(recipe), "questions compared", on_step)
    )
    judge(verification, precision)
    on_step("measuring the cost of batches")
    return _Proof(verification, asked, measure(device))


def _draft(
    recipe: Recipe,
    precisions: tuple[str, ...],
    precision: str,
    model: LoadedModel,
    tokenizer: LoadedTokenizer,
    compiled: Compiled,
) -> Manifest:
    """The manifest of a variant before verification."""
    source = model.info.source
    mark = "" if precision == precisions[0] else f"-{precision}"
    mixed = ("mixed",) if recipe.keep_float32 else ()
    return Manifest(
        name=recipe.name or "-".join((source.rsplit("/", 1)[-1], *precisions, *mixed)),
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
        goldens=f"goldens{mark}.json",
        cost_table=f"cost{mark}.json",
        inputs=model.family.inputs,
        verification=NOT_RUN,
    )


def _questions(recipe: Recipe) -> list[Task]:
    tasks = read_tasks(recipe.questions) if recipe.questions else demo_tasks()
    return one_by_one(tasks, VERIFIED_QUESTIONS)


def _calibration(recipe: Recipe, encoder: Encoder) -> list[Window]:
    tasks = [task for path in recipe.calibration for task in read_tasks(path)] or demo_tasks()
    mixed = list(islice(windows(one_by_one(tasks, CALIBRATION_WINDOWS), encoder), CALIBRATION_WINDOWS))
    if not mixed:
        raise BuildError(f"no question of the calibration text fits max_seq_length {recipe.max_seq_length}")
    return mixed
