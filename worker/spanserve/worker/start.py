"""How a device becomes one that may serve: started, proven by the goldens, timed."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from spanserve.bundle import Bundle, CostTable
from spanserve.device import Device, DeviceError, DeviceSpec, HostDied, read_environment
from spanserve.device.errors import CanaryFailed
from spanserve.engine.deaths import DEATHS_ALLOWED
from spanserve.qa import Encoder
from spanserve.worker.canary import check_goldens
from spanserve.worker.cost import measured_cost, prior_cost
from spanserve.worker.known_rows import KnownRow, KnownRows, shapes_of
from spanserve.worker.settings import Settings
from spanserve.worker.slots import enough_slots, measure_slots, slots_to_begin

log = structlog.get_logger(__name__)


class ServingDevice:
    """The device of a worker, and what is to be done before it may serve.

    Args:
        encoder: of the bundle; asks the goldens.
        restarted: called, in the thread of `start`, when the device host was started again in there.

    Raises:
        SpanserveError: the settings name no such device, or the bundle is not for it.
    """

    def __init__(
        self, bundle: Bundle, encoder: Encoder, settings: Settings, restarted: Callable[[], object]
    ) -> None:
        spec = DeviceSpec.parse(settings.device)
        self._settings = settings
        self._restarted = restarted
        self._encoder = encoder
        self.device = Device(
            bundle,
            spec,
            slots=settings.slots or slots_to_begin(spec),
            max_batch=settings.max_batch_size,
            python=spec.interpreter(settings.magicmind_python),
            environment=read_environment(settings.device_env) if settings.device_env else None,
            log=log.info,
        )
        self._proven: list[KnownRow] = []
        #: Knows what the device has to give, by what it gave when it was proven first; None before.
        self.examiner: KnownRows | None = None
        self.prior = prior_cost(self.device)

    def prove(self) -> None:
        """Start the device, again if it had died, and ask the goldens.

        Raises:
            DeviceError: it cannot be started, or gives wrong answers.
        """
        self.device.start()
        try:
            self._proven = check_goldens(self.device, self._encoder)
        except CanaryFailed as error:
            manifest = self.device.bundle.manifest
            others = {v.precision for v in self.device.bundle.variants if v.target == manifest.target}
            others.discard(manifest.precision)
            if not others:
                raise
            raise CanaryFailed(
                f"{error}; --precision {' or '.join(sorted(others))} serves another variant"
            ) from None

    def start(self) -> CostTable:
        """Prove the device and see what batches cost on it.

        A host that dies while the device is timed is started again, as later on.

        Raises:
            DeviceError: it cannot be used.
        """
        deaths = 0
        while True:
            self.prove()
            if deaths:
                self._restarted()
            try:
                cost = self._timed()
                self.examiner = self._known_rows()
                return cost
            except HostDied as error:
                deaths += 1
                if self.device.closed:
                    raise
                if deaths > DEATHS_ALLOWED:
                    raise DeviceError(
                        f"the device host died {deaths} times while the device was timed, now: {error}"
                    ) from error
                log.warning("host died while the device was timed", error=str(error))
                self.device.use_slots(self.device.ring.slots)

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """(batch, length) of every batch that it may be sent."""
        return shapes_of(self.device.bundle.manifest, self.max_batch)

    @property
    def max_batch(self) -> int:
        """The largest batch that is worth forming: as given, else as the device found out."""
        return self._settings.max_batch_size or int(self.device.info.get("batch", self.device.max_batch))

    def _known_rows(self) -> KnownRows:
        shortest = min(length for _, length in self.shapes)
        return KnownRows(self._proven, self.device.bundle.manifest, self.device.compute, shortest)

    def _timed(self) -> CostTable:
        kind = self.device.spec.kind
        if kind.own_lanes and not self._settings.slots:
            # With one more than it computes at a time, it need not wait while the next batch is filled.
            self.device.use_slots(min(self.device.info["lanes"] + 1, self.device.ring.slots))
        cost = measured_cost(self.device, self.prior, self.max_batch)
        if not self._settings.slots and not kind.own_lanes and self.device.slots > kind.slots:
            self._choose_slots(cost)
        return cost

    def _choose_slots(self, cost: CostTable) -> None:
        """Keep as many slots as the card can use; a host that is started later gets as many."""
        shape = (self.device.max_batch, self.device.bundle.manifest.max_seq_length)
        rates = measure_slots(self.device, cost.estimate(*shape))
        self.device.use_slots(enough_slots(rates))
        log.info(
            "slots measured",
            slots=self.device.slots,
            windows_per_second={count: round(rate, 1) for count, rate in rates.items()},
        )
