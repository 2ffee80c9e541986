"""Writes the first inputs of every target, made by the product's own writers: `python -m tests.fuzz.seeds`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from spanserve.bundle.manifest import COST_NAME, GOLDENS_NAME, MANIFEST_NAME
from spanserve.contract import Options, Priority, Question, Task
from spanserve.v1 import worker_pb2 as pb
from tests.fuzz import datasets, entries, frames, http_bodies, manifests, texts
from tests.fuzz.target import CORPUS
from tests.kit.bundles import make_mixed_bundle, make_sim_bundle
from tests.kit.json_tasks import task_to_json
from tests.kit.oip import infer_request, int_tensor, qa_tensors
from tests.kit.wire import CONTEXT, make_task
from tests.unit.squad.test_forms import FORMS, qa

TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 vendor=1"
TASK = Task(
    id="all",
    run_id="run",
    tenant="tenant",
    context=CONTEXT,
    questions=(Question("a", "Who said?"), Question("b", "When did it freeze?"), Question("c", " ")),
    options=Options(n_best=3, doc_stride=16, max_query_length=8),
    timeout_ms=60_000,
    priority=Priority.INTERACTIVE,
    attempt=2,
)
ROWS = (("Who said?", CONTEXT), (" ", CONTEXT))


def frame_seeds() -> Mapping[str, bytes]:
    plain, rich = make_task().to_bytes(), TASK.to_bytes()

    def tasks(*batch: bytes, traces: tuple[str, ...] = ()) -> bytes:
        sent = pb.TaskBatch(frame=1, tasks=batch, traces=traces)
        return pb.ClientFrame(tasks=sent).SerializeToString()

    cancel = pb.ClientFrame(cancel=pb.Cancel(ids=["t", "all"])).SerializeToString()
    bye = pb.ClientFrame(bye=pb.Bye(reason="done")).SerializeToString()
    other = pb.ClientFrame(hello=pb.Hello(client="c", model_digest="other")).SerializeToString()
    return {
        "one-task": frames.framed(tasks(plain), bye),
        "many": frames.framed(tasks(plain, rich, plain, traces=(TRACE.decode(),)), cancel, bye),
        "cancel": frames.framed(tasks(rich), cancel),
        "bad-task": frames.framed(tasks(rich[:-3], b"\xff", plain), bye),
        "no-hello": frames.framed(tasks(plain), greet=False),
        "own-hello": frames.framed(frames.HELLO, tasks(plain), bye, greet=False),
        "other-model": frames.framed(other, greet=False),
        "two-hellos": frames.framed(frames.HELLO, bye),
        "not-a-frame": frames.framed(b"\xff\xff\xff", tasks(plain), b""),
    }


def entry_seeds() -> Mapping[str, bytes]:
    plain, rich = make_task().to_bytes(), TASK.to_bytes()
    return {
        "plain": entries.entry(plain),
        "rich": entries.entry(rich, trace=TRACE),
        "suspect": entries.entry(plain, counts=0x13),
        "given-up": entries.entry(plain, counts=0x44),
        "cancelled": entries.entry(rich, flags=entries.RIGHT | entries.CANCELLED),
        "late": entries.entry(rich, flags=entries.RIGHT | entries.LATE),
        "timed": entries.entry(rich, flags=entries.RIGHT | entries.TIMED),
        "damaged": entries.entry(plain[:-1], flags=entries.RIGHT_VERSION | entries.RIGHT_JOB),
        "other-job": entries.entry(plain, flags=entries.RIGHT_VERSION | entries.RIGHT_CRC, job=b"a/b/c"),
        "other-version": entries.entry(plain, flags=entries.RIGHT_CRC | entries.RIGHT_JOB, version=b"2"),
        "not-a-task": entries.entry(b"\xff\x00\xff"),
    }


def dataset_seeds() -> Mapping[str, bytes]:
    found = {}
    for name, (file, make) in FORMS.items():
        suffix = "".join(Path(file).suffixes)
        if suffix in datasets.SUFFIXES:
            found[name] = datasets.file(suffix, make())
    flawed = {"version": 2, "data": [{"paragraphs": [{"context": 5, "qas": [qa(), qa(), {}]}, None]}]}
    return {
        **found,
        "flawed": datasets.file(".json", json.dumps(flawed).encode()),
        "predict": datasets.file(".jsonl", b'{"context": "Holm.", "question": "Who?"}\n{\n', answers=False),
        "empty": datasets.file(".csv", b""),
    }


def text_seeds() -> Mapping[str, bytes]:
    contexts = {
        "words": "Anna Holm said the harbour froze in 1871.",
        "chinese": "安娜·霍尔姆说港口在1871年结冰。",
        "marks": "e\u0301e\u0301 é ﬁ İstanbul \u202eHolm\u202c שלום 🇨🇭👩‍👩‍👧‍👦",
        "controls": "a\0b\x07\x85\u200b\ufeff\ufffe\U0010ffff",
        "long": "the harbour froze " * 200,
    }
    return {
        f"{name}-{family}": texts.asked(family, "Who said 1871?", context)
        for name, context in contexts.items()
        for family in texts.FAMILIES
    }


def manifest_seeds() -> Mapping[str, bytes]:
    with TemporaryDirectory() as folder:
        one = make_sim_bundle(Path(folder, "sim"))
        older = make_sim_bundle(Path(folder, "older"), older=True)
        mixed = make_mixed_bundle(Path(folder))
        found = {
            f"sim-{name}": manifests.replaced(name, (one.path / name).read_bytes())
            for name in manifests.FILES
        }
        for name, bundle in (("older", older), ("mixed", mixed)):
            content = (bundle.path / MANIFEST_NAME).read_bytes()
            found[f"{name}-manifest"] = manifests.replaced(MANIFEST_NAME, content)
    return {
        **found,
        "no-cost": manifests.replaced(COST_NAME, b"{}"),
        "no-goldens": manifests.replaced(GOLDENS_NAME, b"[]"),
        "nested": manifests.replaced(MANIFEST_NAME, b"[" * 5000),
    }


def body_seeds() -> Mapping[str, bytes]:
    lines, text, octets = "application/x-ndjson", "application/json", "application/octet-stream"
    task = json.dumps(task_to_json(TASK)).encode()
    plain = b'{"context": "The harbour froze in 1871.", "questions": ["When?", {"id": "x", "text": "Who?"}]}'
    tensors = {
        "inputs": [
            {"name": name, "datatype": "BYTES", "shape": [2], "data": list(column)}
            for name, column in zip(("question", "context"), zip(*ROWS, strict=True), strict=True)
        ],
        "parameters": {"n_best": 2},
        "outputs": [{"name": "answer", "parameters": {"binary_data": True}}, {"name": "score"}],
    }
    ids = {
        "id": "1",
        "inputs": [
            {"name": name, "datatype": "INT32", "shape": [1, 4], "data": [[2, 5, 3, 0]]}
            for name in ("input_ids", "attention_mask", "token_type_ids")
        ],
    }
    raw = b"".join(tensor.to_raw() for tensor in qa_tensors(*ROWS))
    half = len(qa_tensors(*ROWS)[0].to_raw())
    sizes = (half, len(raw) - half)
    told = [
        {"name": name, "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": size}}
        for name, size in zip(("question", "context"), sizes, strict=True)
    ]
    head = json.dumps({"inputs": told}).encode()
    infer = "/v2/models/qa/infer"
    return {
        "task": http_bodies.body("/v1/answer", text, task),
        "plain": http_bodies.body("/v1/answer", text, plain),
        "lines": http_bodies.body("/v1/answer", lines, b"\n".join((plain, task, b"{", b"", plain))),
        "tensors": http_bodies.body(infer, text, json.dumps(tensors).encode()),
        "tokens": http_bodies.body("/v2/models/logits/infer", text, json.dumps(ids).encode()),
        "binary": http_bodies.body(infer, octets, head + raw, len(head)),
        "not-json": http_bodies.body("/v1/answer", text, b'{"context": NaN, "\xff'),
    }


def request_seeds() -> Mapping[str, bytes]:
    ids = [
        int_tensor(name, [[2, 5, 3], [2, 6, 3]]) for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    made = {
        "raw": infer_request("qa", qa_tensors(*ROWS), id="1"),
        "typed": infer_request(
            "qa", qa_tensors(*ROWS), raw=False, parameters={"n_best": 3, "timeout_ms": 9000}
        ),
        "tokens": infer_request("logits", ids),
        "typed-tokens": infer_request("logits", ids, raw=False, parameters={"priority": "interactive"}),
        "not-utf-8": infer_request("qa", qa_tensors((b"\xff", CONTEXT))),
        "no-model": infer_request("bert", qa_tensors(*ROWS)),
    }
    return {name: request.SerializeToString() for name, request in made.items()}


SEEDS: Mapping[str, Callable[[], Mapping[str, bytes]]] = {
    "frames": frame_seeds,
    "entries": entry_seeds,
    "datasets": dataset_seeds,
    "texts": text_seeds,
    "manifests": manifest_seeds,
    "http_bodies": body_seeds,
    "infer_requests": request_seeds,
}


def main() -> None:
    for target, make in SEEDS.items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in make().items():
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
