"""How a device becomes one that may serve: started, proven by the goldens, timed."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from spanserve.bundle import Bundle, CostTable
from spanserve.device import Device, DeviceError, DeviceSpec, HostDied, card_cost, read_environment
from spanserve.engine.deaths import DEATHS_ALLOWED
from spanserve.qa import Encoder
from spanserve.worker.canary import check_goldens
from spanserve.worker.cost import measured_cost
from spanserve.worker.settings import Settings
from spanserve.worker.slots import FEW, MOST, enough_slots, measure_slots

log = structlog.get_logger(__name__)


class ServingDevice:
    """The device of a worker, and what is to be done before it may serve.

    Args:
        encoder: of the bundle; asks the goldens.
        restarted: called in the thread of `start` when a host that died was started again.

    Raises:
        SpanserveError: the settings name no such device, or the bundle is not for it.
    """

    def __init__(
        self, bundle: Bundle, encoder: Encoder, settings: Settings, *, restarted: Callable[[], object]
    ) -> None:
        spec = DeviceSpec.parse(settings.device)
        self._settings = settings
        self._encoder = encoder
        self._restarted = restarted
        self._closed = False
        self.device = Device(
            bundle,
            spec,
            slots=settings.slots or (MOST if spec.backend == "mlu" else FEW),
            max_batch=settings.max_batch_size,
            python=spec.interpreter(settings.magicmind_python),
            environment=read_environment(settings.device_env) if settings.device_env else None,
            log=log.info,
        )
        #: What batches cost before any is measured: the bundle's table, but a simulated card has its own.
        self.prior = bundle.cost_table()
        if spec.figures is not None:
            self.prior = card_cost(spec.figures, self.device.max_batch, bundle.manifest.max_seq_length)

    def prove(self) -> None:
        """Start the device, anew if it had died, and ask the goldens.

        Raises:
            DeviceError: it cannot be started, or gives wrong answers.
        """
        self.device.start()
        check_goldens(self.device, self._encoder)

    def start(self) -> CostTable:
        """Prove the device and see what batches cost on it.

        Raises:
            DeviceError: it cannot be used.
        """
        deaths = 0
        while True:
            self.prove()
            try:
                return self._timed()
            except HostDied as error:  # it is started again, as later on
                deaths += 1
                if self._closed:
                    raise
                if deaths > DEATHS_ALLOWED:
                    raise DeviceError(
                        f"the device host died {deaths} times while the device was timed, now: {error}"
                    ) from error
                log.warning("host died while the device was timed", error=str(error))
                self._restarted()
                self.device.use_slots(self.device.ring.slots)

    def close(self) -> None:
        """End the device host, at whatever it is."""
        self._closed = True
        self.device.close()

    def _timed(self) -> CostTable:
        """What batches cost on the device; chooses the slots as well."""
        spec = self.device.spec
        if spec.card is not None:  # its table is known
            return self.prior.scaled(spec.options.get("time_scale", 1.0))
        cost = measured_cost(self.device, self.prior)
        if not self._settings.slots and spec.backend == "mlu":
            self._choose_slots(cost)
        return cost

    def _choose_slots(self, cost: CostTable) -> None:
        """Keep as many slots as the card has a use for; a host that is started later gets these."""
        shape = (self.device.max_batch, self.device.bundle.manifest.max_seq_length)
        rates = measure_slots(self.device, cost.estimate(*shape))
        self.device.use_slots(enough_slots(rates))
        log.info(
            "slots measured",
            slots=self.device.slots,
            windows_per_second={count: round(rate, 1) for count, rate in rates.items()},
        )
