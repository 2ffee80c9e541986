"""The models of a worker, and how they are asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spanserve.contract.escape import MAX_SHOWN_NAME, escape
from spanserve.doors.calls import Calls
from spanserve.doors.door import Inside
from spanserve.doors.identity import Identity
from spanserve.doors.oip.errors import NotFound
from spanserve.doors.oip.limits import MAX_ROWS
from spanserve.doors.oip.logits import LogitsModel
from spanserve.doors.oip.model import Model
from spanserve.doors.oip.qa import QaModel
from spanserve.doors.oip.request import InferRequest, InferResponse
from spanserve.doors.oip.tensor import TensorSpec
from spanserve.engine.admission import Account

SERVER = "spanserve"
#: Names of the models that every worker has.
MODELS = (QaModel.name, LogitsModel.name)
#: What the models run on, as `project_format`.
PLATFORM = "spanserve_bundle"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMetadata:
    """What is reported about a model."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: Sequence[TensorSpec]
    outputs: Sequence[TensorSpec]
    properties: Mapping[str, str]


class Inference:
    """Answers what the protocol asks.

    The version of every model is the digest of what the worker serves: a request for one gets its answers or none.
    """

    def __init__(self, inside: Inside, calls: Calls) -> None:
        self._calls = calls
        status = inside.status()
        #: Of the server.
        self.version = status.version
        self._digest = status.model_digest
        self._properties = {
            "bundle": status.model,
            "device": status.device,
            "precision": status.precision,
            "max_seq_length": str(status.max_seq_length),
            "max_rows": str(MAX_ROWS),
        }
        models: tuple[Model, ...] = (QaModel(inside), LogitsModel(inside))
        self._models = {model.name: model for model in models}

    def is_ready(self) -> bool:
        """Whether calls should come here."""
        return self._calls.ready

    def is_model_ready(self, name: str, version: str) -> bool:
        """The same for one model.

        Raises:
            NotFound: no model has that name and version.
        """
        self._find(name, version)
        return self.is_ready()

    def metadata(self, name: str, version: str) -> ModelMetadata:
        """What a model takes and gives.

        Raises:
            NotFound: no model has that name and version.
        """
        model = self._find(name, version)
        return ModelMetadata(
            name=model.name,
            versions=(self._digest,),
            platform=PLATFORM,
            inputs=model.inputs,
            outputs=model.outputs,
            properties=self._properties,
        )

    async def infer(self, account: Account, identity: Identity, request: InferRequest) -> InferResponse:
        """Answer a request of a caller who was let in.

        Raises:
            NotFound: there is no model of that name and version.
            Refusal: the request is at fault, there is no room for it, or all its rows have the same error.
        """
        model = self._find(request.model, request.version)
        outputs = await model.infer(account, identity, request)
        return InferResponse(
            model=model.name,
            version=self._digest,
            id=request.id,
            outputs=tuple(outputs[name] for name in request.outputs or outputs),
        )

    def _find(self, name: str, version: str) -> Model:
        model = self._models.get(name)
        if model is None:
            known = " and ".join(self._models)
            raise NotFound(f"there is no model {escape(name, MAX_SHOWN_NAME)!r} here, only {known}")
        if version not in ("", self._digest):
            raise NotFound(
                f"{name} has no version {escape(version, MAX_SHOWN_NAME)!r} here, its only one is {self._digest}"
            )
        return model
