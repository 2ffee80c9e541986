"""The compile step: a small program of its own that makes MagicMind models of one network.

It runs under the Python of the SDK, 3.7, so it uses the standard library, numpy and the SDK only, in a form
that Python 3.7 and numpy 1.21 accept; of this project it imports `spanserve.device.sdk` only. `__main__` is started by
path with one argument, the request (see `spanserve.builder.targets.compiler`, which writes it):

    {"parser": "pytorch" | "onnx", "network": file, "input_dtypes": ["INT32", ...],
     "config": {...: see `build_config.steps`},
     "calibration": null | {"remote": null | "ip:port", "device": 0, "algorithm": "linear" | "eqnm"},
     "keep_float32": ["softmax", ...],
     "graphs": [{"shape": [16, 384], "dim_range": null | {"min": [1, 16], "max": [16, 384]},
                 "output": file, "samples": [file.npy per input, int32 [N, B, S]]}]}

Its standard input stays open as long as the builder lives. It answers with JSON lines:

    {"op": "step", "step": "import"}                  before the first graph, as "activate" is
    {"op": "step", "step": "parse", "graph": 0}
    {"op": "done", "sdk_version": "1.7.0", "graphs": [{"inputs": [...], "outputs": [...]}]}
    {"op": "failed", "step": "parse", "message": what the SDK said}

What the SDK prints goes to standard error, also where it writes to standard output.
"""
