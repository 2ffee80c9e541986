"""Devices on the emulated MagicMind: environments for their hosts, and bundles whose graph is a hash."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from spanserve.bundle import Arch, Bundle, Graph, Runtime
from spanserve.bundle.manifest import Manifest
from tests.emulator.magicmind.python import runtime as mm
from tests.emulator.magicmind.python.runtime.parser import Parser
from tests.kit.bundles import make_sim_bundle

#: To be put on the path of an interpreter.
EMULATOR = Path(__file__).parent.parent / "emulator"
#: The Python that runs hosts, unless a test has an older one.
PYTHON = sys.executable
#: Forms in which the emulated SDK may answer a call that only does something.
RESULTS = ("status", "none", "object")
#: Ids that the emulated graphs know; more than the tokenizer of the bundle has.
VOCAB_SIZE = 30_000


def emulator_environment(**variables: object) -> dict[str, str]:
    """Variables for a host: the emulator on its path, and MM_EMULATOR_<NAME> for each keyword."""
    told = {f"MM_EMULATOR_{name.upper()}": str(value) for name, value in variables.items()}
    return {"PYTHONPATH": str(EMULATOR), **told}


def write_environment(file: Path, **variables: object) -> Path:
    """The same as a file for --device-env."""
    lines = [f"{name}={value}" for name, value in emulator_environment(**variables).items()]
    file.write_text("\n".join(["# the emulated SDK", "", *lines]) + "\n")
    return file


def make_script(file: Path, program: str) -> Path:
    """A script that can be run."""
    file.write_text(f"#!/bin/sh\n{program}\n")
    file.chmod(0o755)
    return file


def link_package(folder: Path) -> None:
    """The emulated SDK as a package without an `__init__.py`, and without metadata."""
    (folder / "magicmind").mkdir()
    (folder / "magicmind" / "python").symlink_to(EMULATOR / "magicmind" / "python")


def build_hash(file: Path, dims: tuple[int, int], *, dynamic: bool) -> None:
    """Compile the graph that is a pure function of its ids; its parameters are those of `build_graph`."""
    source = file.with_suffix(".json")
    source.write_text(json.dumps({"emulator": "hash", "vocab_size": VOCAB_SIZE}))
    build_graph(source, file, dims, dynamic=dynamic)
    source.unlink()


def build_graph(source: Path, file: Path, dims: tuple[int, int], *, dynamic: bool) -> None:
    """Compile an ONNX file, or a hash, as a builder would.

    Args:
        dims: batch and length; the largest if the shape is dynamic.
    """
    network = mm.Network()
    statuses = [Parser(mm.ModelKind.kOnnx).parse(network, str(source))]
    config = mm.BuilderConfig()
    settings: list[dict[str, Any]] = [
        {"archs": [{"mtp_372": [6, 8]}]},
        {"precision_config": {"precision_mode": "force_float32"}},
        {"graph_shape_mutable": dynamic},
    ]
    if dynamic:
        settings.append({"dim_range": {str(i): {"min": [1, 1], "max": list(dims)} for i in range(3)}})
    statuses += [config.parse_from_string(json.dumps(part)) for part in settings]
    statuses += [network.get_input(index).set_dimension(mm.Dims(dims)) for index in range(3)]
    model = mm.Builder().build_model("model", network, config)
    assert model is not None
    statuses.append(model.serialize_to_file(str(file)))
    assert ["OK"] * len(statuses) == [str(status) for status in statuses]


def make_mlu_bundle(
    path: Path,
    *,
    dynamic: bool = True,
    lengths: tuple[int, ...] = (384,),
    max_batch_size: int = 16,
    onnx: Path | None = None,
    **changes: Any,
) -> Bundle:
    """A bundle for `mlu:` devices; its logits are those of the simulated device.

    Args:
        lengths: one graph for each.
        onnx: a network in place of the hash; its goldens are then wrong.
        changes: of the manifest.
    """
    graphs = tuple(Graph(max_length=length, file=f"model-{length}", dynamic=dynamic) for length in lengths)
    files = {}
    for graph in graphs:
        files[graph.file] = path.parent / f"{path.name}-{graph.file}"
        dims = (max_batch_size, graph.max_length)
        if onnx is None:
            build_hash(files[graph.file], dims, dynamic=dynamic)
        else:
            build_graph(onnx, files[graph.file], dims, dynamic=dynamic)

    def complete(manifest: Manifest) -> Manifest:
        return manifest.model_copy(
            update={
                "target": "magicmind",
                "runtime": Runtime(name="magicmind", version="1.7.0", accepts=("1.7", "1.8")),
                "model": manifest.model.model_copy(update={"vocab_size": VOCAB_SIZE}),
                "graphs": graphs,
                "arch": (Arch(name="mtp_372", clusters=(6, 8)),),
                **changes,
            }
        )

    bundle = make_sim_bundle(
        path, max_batch_size=max_batch_size, max_seq_length=lengths[-1], files=files, complete=complete
    )
    for file in files.values():
        file.unlink()
    return bundle
