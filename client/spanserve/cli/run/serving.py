"""A bundle on a device: scored by a private worker, timed by itself."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from spanserve.bundle import Bundle
from spanserve.cli.run.recipe import words
from spanserve.client.commands.private import private_worker
from spanserve.client.evaluation.evaluation import Evaluation
from spanserve.client.grpc.channel import PLAINTEXT
from spanserve.client.grpc.transport import GrpcTransport
from spanserve.client.report import RunSummary
from spanserve.contract import Options
from spanserve.device.bench import Measured, measure_device
from spanserve.device.environment import read_environment
from spanserve.device.handle import Device
from spanserve.device.options import SdkOptions
from spanserve.device.spec import DeviceSpec
from spanserve.options.terminal import Terminal
from spanserve.squad import Dataset

#: Seconds a worker may take to be ready: a card is timed in every shape.
READY_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Where bundles are served."""

    device: DeviceSpec
    sdk: SdkOptions

    @property
    def words(self) -> tuple[str, ...]:
        """Of a command line: the device and its SDK."""
        sdk = (("--magicmind-python", self.sdk.magicmind_python), ("--device-env", self.sdk.device_env))
        return words((("--device", self.device.text), *sdk))

    def score(
        self, bundle: Path, max_batch: int, dataset: Dataset, output: Path, *, command: str, console: Terminal
    ) -> RunSummary:
        """Serve a bundle, ask it a data set, and write the files of an evaluation into `output`.

        Raises:
            ClientError: the worker has ended, with its reason; or the folder cannot be written.
        """
        cnmon = ("--cnmon", self.sdk.cnmon)
        arguments = ("--bundle", str(bundle), "--max-batch-size", str(max_batch), *cnmon, *self.words)
        with private_worker(arguments) as worker:
            return Evaluation(
                dataset=dataset,
                connect=lambda: GrpcTransport([worker.address], PLAINTEXT, READY_S, look=worker.check),
                folder=output,
                options=Options(),
                command=command,
            ).run(console)

    def rates(
        self, bundle: Path, batches: Sequence[int], *, duration_s: float, iterations: int
    ) -> list[Measured]:
        """Time the bare device in batches of the longest windows.

        Raises:
            DeviceError: the device failed.
        """
        opened: Bundle = self.device.kind.open(bundle)
        device = Device(
            opened,
            self.device,
            python=self.device.interpreter(self.sdk.magicmind_python),
            environment=read_environment(self.sdk.device_env) if self.sdk.device_env else None,
        )
        with closing(device):
            device.start()
            length = opened.manifest.max_seq_length
            return [
                measure_device(device, batch, length, duration_s=duration_s, iterations=iterations)
                for batch in batches
            ]
