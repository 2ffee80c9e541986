"""The pipeline of transformers, in this very process: `pipeline_client.py KIND CHECKPOINT BATCH DTYPE GRAPH`.

KIND `torch` runs the checkpoint in DTYPE; `openvino` runs the graph in the folder GRAPH by optimum, its float parts
in DTYPE (`default`: OpenVINO's choice).
"""

from __future__ import annotations

import asyncio
import sys
import time
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from peer_client import Client, Job, Request, run
from transformers import AutoTokenizer, pipeline

THREADS = 2
CALL = {"max_seq_len": 384, "doc_stride": 128, "max_question_len": 64, "max_answer_len": 30, "top_k": 1}


def _torch(checkpoint: str, dtype: str) -> Any:
    made = pipeline(
        "question-answering",
        model=checkpoint,
        tokenizer=checkpoint,
        device="cpu",
        torch_dtype=getattr(torch, dtype),
    )
    if dtype != "float32":  # numpy has no bfloat16, and the pipeline decodes with numpy: logits are widened
        made.model.qa_outputs.register_forward_hook(lambda module, inputs, output: output.float())
    return made


def _openvino(checkpoint: str, dtype: str, graph: str) -> Any:
    from optimum.intel import OVModelForQuestionAnswering

    config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": str(THREADS)}
    if dtype != "default":
        config["INFERENCE_PRECISION_HINT"] = dtype
    model = OVModelForQuestionAnswering.from_pretrained(graph, ov_config=config)
    return pipeline("question-answering", model=model, tokenizer=AutoTokenizer.from_pretrained(checkpoint))


class PipelineClient(Client):
    """There is no server: who has come while the pipeline was busy goes into its next call, at most a batch."""

    def __init__(self, kind: str, checkpoint: str, batch: int, dtype: str, graph: str) -> None:
        self._pipeline = _torch(checkpoint, dtype) if kind == "torch" else _openvino(checkpoint, dtype, graph)
        self._batch = batch

    async def ask(self, request: Request) -> list[str]:
        return self._many([request])[0]

    async def closed(self, job: Job) -> None:
        began = time.perf_counter()
        for request, answers in zip(job.requests, self._many(job.requests), strict=True):
            job.done(request, answers, time.perf_counter() - began)

    async def open_loop(self, job: Job) -> None:
        began = time.perf_counter()
        todo = list(job.due())
        while todo:
            await asyncio.sleep(max(0.0, began + todo[0][1] - time.perf_counter()))
            now = time.perf_counter() - began
            here = [one for one in todo[: self._batch] if one[1] <= now]
            todo = todo[len(here) :]
            if not here:
                continue
            for (request, at), answers in zip(here, self._many([one for one, _ in here]), strict=True):
                job.done(request, answers, time.perf_counter() - began - at)

    def _many(self, requests: Sequence[Request]) -> list[list[str]]:
        examples = [
            {"question": text, "context": one["context"]} for one in requests for text in one["questions"]
        ]
        with torch.inference_mode():
            found = self._pipeline(examples, batch_size=self._batch, **CALL)
        each = iter(found if isinstance(found, list) else [found])
        return [[next(each)["answer"] for _ in one["questions"]] for one in requests]


warnings.filterwarnings("ignore")
torch.set_num_threads(THREADS)
kind, checkpoint, batch, dtype, graph = sys.argv[1:]
run(PipelineClient(kind, checkpoint, int(batch), dtype, graph))
