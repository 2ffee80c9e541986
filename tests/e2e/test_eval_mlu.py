"""The whole way to answers from a card: build, worker, eval, on the emulated SDK; compared with the CPU's."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spanserve.builder.samples import demo_tasks
from spanserve.bundle import Bundle
from spanserve.cli.main import main
from tests.e2e.test_eval import predictions, scores_of, spanserve
from tests.kit.checkpoints import make_checkpoint
from tests.kit.emulated import write_environment
from tests.kit.families import make_family
from tests.kit.processes import WorkerProcess

StartWorker = Callable[..., WorkerProcess]

#: Paragraphs of the built-in data set.
PARAGRAPHS = 12
#: Families that go to cards, without BERT, which most tests here are of.
CARD_FAMILIES = ("roberta", "xlm-roberta", "camembert", "distilbert", "electra")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the tests of this file share."""
    return tmp_path_factory.mktemp("mlu")


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Path:
    return make_checkpoint(folder / "tiny")


@pytest.fixture(scope="module")
def dataset(folder: Path) -> Path:
    """A part of the built-in data set in SQuAD's form; what would be right does not matter here."""
    paragraphs = []
    for number, task in enumerate(demo_tasks()[:PARAGRAPHS]):
        answers = [{"text": task.context[:12], "answer_start": 0}]
        qas = [{"id": f"{number}-{q.id}", "question": q.text, "answers": answers} for q in task.questions]
        paragraphs.append({"context": task.context, "qas": qas})
    path = folder / "demo.json"
    path.write_text(json.dumps({"version": "1.1", "data": [{"title": "demo", "paragraphs": paragraphs}]}))
    return path


def build(checkpoint: Path, output: Path, *arguments: str) -> Path:
    """`spanserve build`, in this process, which has torch loaded already; fewer questions are compared."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spanserve.builder.build.VERIFIED_QUESTIONS", 20)
        with pytest.raises(SystemExit) as end:
            main(["build", str(checkpoint), "-o", str(output), "--max-batch-size", "4", *arguments, "--json"])
    assert 0 == end.value.code
    return output


def sdk_of(file: Path, python: str = sys.executable, **told: object) -> tuple[str, ...]:
    """Options that lead to the emulated SDK, one thread a card."""
    write_environment(file, **told)
    file.write_text(file.read_text() + "OMP_NUM_THREADS=1\n")
    return "--magicmind-python", python, "--device-env", str(file)


def evaluate(dataset: Path, output: Path, *workers: WorkerProcess) -> dict[str, Any]:
    """Run `spanserve eval`; gives the scores."""
    addresses = [option for worker in workers for option in ("--worker", worker.address)]
    return scores_of(spanserve("eval", dataset, *addresses, "-o", output, "--json"))


@pytest.fixture(scope="module")
def on_cpu(checkpoint: Path, dataset: Path, folder: Path) -> tuple[dict[str, Any], Any]:
    """Scores and predictions of the CPU float32 bundle."""
    with WorkerProcess(
        "--bundle", str(build(checkpoint, folder / "cpu", "--precision", "float32"))
    ) as worker:
        return evaluate(dataset, folder / "out", worker.wait_ready()), predictions(folder / "out")


@pytest.fixture(scope="module")
def mlu_bundle(checkpoint: Path, folder: Path) -> Path:
    """Built for MagicMind with one interpreter for everything."""
    return build(checkpoint, folder / "mlu", "--target", "magicmind", *sdk_of(folder / "sdk.env"))


def check_same(scores: dict[str, Any], output: Path, on_cpu: tuple[dict[str, Any], Any]) -> None:
    """Every answer and every score is the CPU's."""
    assert on_cpu[1] == predictions(output)
    for name in ("total", "exact", "f1", "errors", "missing"):
        assert on_cpu[0][name] == scores[name]
    assert scores["total"] > PARAGRAPHS


def test_a_card(
    start_worker: StartWorker,
    mlu_bundle: Path,
    dataset: Path,
    on_cpu: tuple[dict[str, Any], Any],
    tmp_path: Path,
) -> None:
    """Built for MagicMind and served from a card, a checkpoint answers as on the CPU; the worker drains."""
    worker = start_worker(*sdk_of(tmp_path / "sdk.env"), bundle=mlu_bundle, device="mlu:0").wait_ready()
    check_same(evaluate(dataset, tmp_path / "out", worker), tmp_path / "out", on_cpu)
    worker.signal(signal.SIGTERM)
    assert 0 == worker.wait()


def test_two_cards(
    start_worker: StartWorker,
    mlu_bundle: Path,
    dataset: Path,
    on_cpu: tuple[dict[str, Any], Any],
    tmp_path: Path,
) -> None:
    """Two workers, each on a card of its own, share a data set and give the answers of the CPU."""
    sdk = sdk_of(tmp_path / "sdk.env", cards=2, fail="slow:0.03")
    workers = [start_worker(*sdk, bundle=mlu_bundle, device=f"mlu:{card}") for card in range(2)]
    scores = evaluate(dataset, tmp_path / "out", *(worker.wait_ready() for worker in workers))
    check_same(scores, tmp_path / "out", on_cpu)
    ledger = (tmp_path / "out/ledger.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    assert 2 == len({json.loads(line)["worker"] for line in ledger})


def test_two_interpreters(
    start_worker: StartWorker,
    checkpoint: Path,
    dataset: Path,
    on_cpu: tuple[dict[str, Any], Any],
    tmp_path: Path,
    python37_onnx: str,
) -> None:
    """Compile step and device host under a real Python 3.7, all else under this one: the same answers."""
    sdk = sdk_of(tmp_path / "sdk.env", python37_onnx)
    bundle = build(checkpoint, tmp_path / "mlu", "--target", "magicmind", "--parser", "onnx", *sdk)
    worker = start_worker(*sdk, bundle=bundle, device="mlu:0").wait_ready()
    check_same(evaluate(dataset, tmp_path / "out", worker), tmp_path / "out", on_cpu)


@pytest.fixture(scope="module")
def joined(mlu_bundle: Path, on_cpu: tuple[dict[str, Any], Any], checkpoint: Path, folder: Path) -> Path:
    """Bundles of two kinds of cards and of the CPU, joined into one."""
    arch = ("--mlu-arch", "mtp_592", "--static-shape")
    sdk = sdk_of(folder / "590.env", arch="mtp_592", clusters=1)
    other = build(checkpoint, folder / "590", "--target", "magicmind", *arch, *sdk)
    with pytest.raises(SystemExit) as end:
        main(["join", str(mlu_bundle), str(other), str(folder / "cpu"), "-o", str(folder / "joined")])
    assert 0 == end.value.code
    return folder / "joined"


@pytest.mark.parametrize(
    ("card", "told", "variant"),
    [
        pytest.param("MLU370-X4", {}, 0, id="mlu370"),
        pytest.param("MLU590", {"arch": "mtp_592", "clusters": 1}, 1, id="mlu590"),
        pytest.param("", None, 2, id="cpu"),
    ],
)
def test_joined(
    joined: Path,
    dataset: Path,
    on_cpu: tuple[dict[str, Any], Any],
    tmp_path: Path,
    card: str,
    told: dict[str, Any] | None,
    variant: int,
) -> None:
    """One bundle is served on both kinds of cards and on the CPU, each time by its own variant, with equal answers."""
    device = ("--device", "cpu") if told is None else ("--device", "mlu:0", *sdk_of(tmp_path / "env", **told))
    program, env = "tests.kit.worker_near_card", {"SPANSERVE_TEST_CARD": card}
    with WorkerProcess("--bundle", str(joined), *device, program=program, env=env) as worker:
        scores = evaluate(dataset, tmp_path / "out", worker.wait_ready())
    check_same(scores, tmp_path / "out", on_cpu)
    assert {Bundle.open(joined).variants[variant].digest} == digests(tmp_path / "out")


def digests(output: Path) -> set[str]:
    """Of the models that answered."""
    lines = (output / "ledger.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    return {json.loads(line)["model_digest"] for line in lines}


def compare_devices(
    name: str, folder: Path, start_worker: StartWorker, dataset: Path, sdk: tuple[str, ...], *settings: str
) -> dict[str, Any]:
    """A small checkpoint answers on the card as on the CPU; gives what the card's host says of itself."""
    checkpoint = make_family(folder / "checkpoint", name)
    found: list[tuple[dict[str, Any], Any]] = []
    host: dict[str, Any] = {}
    for device, target, options in (
        ("cpu", ("--precision", "float32"), ()),
        ("mlu:0", ("--target", "magicmind", *settings), sdk),
    ):
        bundle = build(checkpoint, folder / f"{device}.bundle", *target, *options)
        worker = start_worker(*options, bundle=bundle, device=device)
        host = worker.wait_for("ready")["host"]
        output = folder / f"{device}.out"
        found.append((evaluate(dataset, output, worker), predictions(output)))
        worker.signal(signal.SIGTERM)
    check_same(found[1][0], folder / "mlu:0.out", found[0])
    return host


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name == "roberta" else pytest.mark.long) for name in CARD_FAMILIES],
)
def test_families(name: str, start_worker: StartWorker, dataset: Path, tmp_path: Path) -> None:
    """Every family that goes to cards answers there as on the CPU, from the inputs that it has."""
    compare_devices(name, tmp_path, start_worker, dataset, sdk_of(tmp_path / "sdk.env"))


@pytest.mark.parametrize(
    ("name", "parser", "precision"),
    [
        pytest.param("distilbert", "onnx", "force_float32"),
        *(
            pytest.param(name, parser, precision, marks=pytest.mark.long)
            for parser in ("onnx", "pytorch")
            for name, precision in (
                *((name, "force_float32") for name in ("bert", *CARD_FAMILIES)),
                ("roberta", "force_float16"),
            )
            if (name, parser) != ("distilbert", "onnx")
        ),
    ],
)
def test_families_two_interpreters(
    name: str,
    parser: str,
    precision: str,
    start_worker: StartWorker,
    dataset: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """So it does by both parsers with compile step and device host under a real Python 3.7."""
    python = request.getfixturevalue("python37_onnx" if parser == "onnx" else "python37_torch")
    settings = ("--parser", parser, "--precision", precision)
    sdk = sdk_of(tmp_path / "sdk.env", python)
    host = compare_devices(name, tmp_path, start_worker, dataset, sdk, *settings)
    assert host["python"].startswith("3.7.")
