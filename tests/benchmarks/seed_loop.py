"""The public sample's way of working, as the baseline: pad everything to 384, batches of 16, one at a time.

Runs under transformers 4.46 in its own environment and imports nothing of spanserve:

    python seed_loop.py GRAPH.xml PRECISION_HINT CHECKPOINT DATASET OUTPUT.json

Prints one JSON line with the seconds of each stage. Loading the model is not counted.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path

import numpy as np
import openvino as ov
from transformers import BertTokenizer
from transformers.data.metrics.squad_metrics import compute_predictions_logits
from transformers.data.processors.squad import (
    SquadResult,
    SquadV1Processor,
    squad_convert_examples_to_features,
)

BATCH, LENGTH = 16, 384


def main(graph: str, hint: str, checkpoint: str, dataset: str, output: str) -> None:
    logging.disable(logging.WARNING)
    config = {"INFERENCE_PRECISION_HINT": hint}
    request = ov.Core().compile_model(graph, "CPU", config).create_infer_request()
    tokenizer = BertTokenizer.from_pretrained(checkpoint, do_lower_case=True)
    request.infer([np.ones((BATCH, LENGTH), np.int32)] * 3)
    began = time.perf_counter()
    examples = SquadV1Processor().get_dev_examples(str(Path(dataset).parent), Path(dataset).name)
    features = squad_convert_examples_to_features(
        examples, tokenizer, LENGTH, 128, 64, is_training=False, threads=1, tqdm_enabled=False
    )
    made = time.perf_counter()
    results = []
    for first in range(0, len(features), BATCH):
        part = features[first : first + BATCH]
        inputs = [
            np.array([getattr(feature, name) for feature in part], np.int32)
            for name in ("input_ids", "attention_mask", "token_type_ids")
        ]
        request.infer(inputs)
        start, end = (request.get_output_tensor(index).data for index in (0, 1))
        for feature, row_start, row_end in zip(part, start, end, strict=True):
            results.append(SquadResult(feature.unique_id, row_start.tolist(), row_end.tolist()))
    computed = time.perf_counter()
    compute_predictions_logits(
        examples, features, results, 20, 30, True, output, "/dev/null", None, False, False, 0.0, tokenizer
    )
    done = time.perf_counter()
    print(
        json.dumps(
            {
                "questions": len(examples),
                "seconds": done - began,
                "features_s": made - began,
                "device_s": computed - made,
                "answers_s": done - computed,
                "padded_tokens": len(features) * LENGTH,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
