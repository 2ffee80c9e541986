"""Clients of Triton and KServe, unchanged, against a real worker: they get what our own client gets."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spanserve.client import Client, QuestionResult, Refusal
from spanserve.demo import BUNDLE
from spanserve.device.host.simulated import answers
from tests.conftest import kept_folder
from tests.kit.foreign import Environment
from tests.kit.processes import WorkerProcess
from tests.kit.wire import CONTEXT, make_task

PROGRAMS = Path(__file__).parent / "foreign"
PAGE = Path(__file__).parents[3] / "docs" / "open-inference.md"
ROWS = [
    ("Who said?", CONTEXT),
    (" ", CONTEXT),
    ("When did it freeze?", f"{CONTEXT} Holm again, and 1871 once more."),
    ("Who said?", "北京 Anna Holm 🙂 said so."),
]
IDS = [[5, 6, 7, 8], [9, 10, 11, 12]]
#: Of a model that there is not, and of a malformed request.
STATUS = {"grpc": ("StatusCode.NOT_FOUND", "StatusCode.INVALID_ARGUMENT"), "http": ("404", "422")}
TRITON = "tritonclient[grpc,http]"
Make = Callable[..., Environment]


@pytest.fixture
def environment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Makes environments, kept with pytest's cache."""

    def make(name: str, *packages: str, together: bool = False) -> Environment:
        return Environment(kept_folder(request, tmp_path_factory, name), *packages, together=together)

    return make


@pytest.fixture
def worker(start_worker: Callable[..., WorkerProcess]) -> WorkerProcess:
    return start_worker("--http", "127.0.0.1:0").wait_ready()


def own(worker: WorkerProcess) -> list[QuestionResult]:
    """What our own client is told of each row."""
    tasks = [make_task(f"{n}", question, context=context) for n, (question, context) in enumerate(ROWS)]
    with Client(worker.address) as client:
        found = {result.id: result.questions[0] for result in client.answer_all(tasks)}
    return [found[task.id] for task in tasks]


def same(found: dict[str, Any], expected: list[QuestionResult]) -> None:
    """All outputs of `qa`, against what our own client was told."""
    for row, result in enumerate(expected):
        if result.answer is None:
            assert isinstance(result.error, Refusal)
            assert f"{result.error.code.name}: question: {result.error.message}" == found["error"][row]
            assert ("", -1) == (found["answer"][row], found["start"][row])
            assert math.isnan(found["score"][row])
            continue
        best = result.answer.best
        assert "" == found["error"][row]
        assert (best.text, best.start, best.end) == (
            found["answer"][row],
            found["start"][row],
            found["end"][row],
        )
        assert (best.score, result.answer.no_answer_score) == (
            found["score"][row],
            found["no_answer_score"][row],
        )


def same_logits(found: dict[str, Any]) -> None:
    expected = answers({"input_ids": np.array(IDS, np.int32)})
    for name, array in expected.items():
        assert array.ravel().tolist() == found[name]
    assert ["", ""] == found["error"]


def run(environment: Environment, program: str, kind: str, worker: WorkerProcess) -> Any:
    address = worker.address if kind == "grpc" else worker.wait_for("listening", door="http")["address"]
    return environment.run(PROGRAMS / f"{program}.py", kind, address, json.dumps(ROWS), json.dumps(IDS))


@pytest.mark.parametrize("kind", ["grpc", "http"])
def test_triton(environment: Make, worker: WorkerProcess, kind: str) -> None:
    """tritonclient over both: states, metadata, both models, and errors as its own exception."""
    found = run(environment("tritonclient", TRITON), "triton_client", kind, worker)
    assert [True] * 3 == found["states"]
    assert "spanserve" == found["server"]
    assert ["input_ids", "attention_mask", "token_type_ids"] == found["inputs"]
    expected = own(worker)
    same(found["flat"], expected)
    assert {"start", "error"} == found["batched"].keys()
    assert (8, 4) == (len(found["batched"]["start"]), len(found["batched"]["error"]))
    same_logits(found["logits"])
    unknown, invalid = STATUS[kind]
    assert unknown == found["model"][0]
    assert invalid == found["shape"][0]
    assert "parameters.priority" in found["priority"][1]


def test_in_one_process(environment: Make, worker: WorkerProcess) -> None:
    """tritonclient can be imported beside our client and a worker's messages, and all work."""
    installed = environment("tritonclient-together", "tritonclient", "python-rapidjson", together=True)
    rows = [row for row in ROWS if row[0].strip()]
    found = installed.run(PROGRAMS / "together.py", worker.address, json.dumps(rows))
    assert found["own"] == found["theirs"]
    assert found["apart"]
    assert found["alike"]


@pytest.mark.parametrize(
    ("number", "name", "package"),
    [
        (0, "tritonclient", TRITON),
        pytest.param(1, "kserve", "kserve", marks=pytest.mark.long),
    ],
    ids=["triton", "kserve"],
)
def test_documented(
    environment: Make,
    start_worker: Callable[..., WorkerProcess],
    tmp_path: Path,
    number: int,
    name: str,
    package: str,
) -> None:
    """The programs in docs/open-inference.md print what they say, asking the built-in model."""
    program = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)[number]
    worker = start_worker(bundle=BUNDLE, device="cpu").wait_ready()
    (tmp_path / "program.py").write_text(program.replace("localhost:50051", worker.address), encoding="utf-8")
    printed = environment(name, package).run_plain(tmp_path / "program.py")
    assert re.findall(r"print\(.*\)  # (.*)$", program, re.M) == printed.splitlines()


@pytest.mark.long
@pytest.mark.parametrize("kind", ["grpc", "http"])
def test_kserve(environment: Make, worker: WorkerProcess, kind: str) -> None:
    """KServe's own client over both, with typed and raw contents."""
    found = run(environment("kserve", "kserve"), "kserve_client", kind, worker)
    assert [True] * 3 == found["states"]
    expected = own(worker)
    same(found["typed"], expected)
    same(found["raw"], expected)
    same_logits(found["logits"])
    assert STATUS[kind][0] == found["model"][0]
    assert "there is no model 'bert' here" in found["model"][1]
