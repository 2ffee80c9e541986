"""The workers of a host together: started, reported on, drained."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from spanserve.doors.http.health import Health
from spanserve.fleet.cores import Cores
from spanserve.fleet.member import EXIT_SETTINGS, GIVEN_UP, Launch, Member
from spanserve.fleet.metrics_history import exposition
from spanserve.fleet.pinned_bundle import PinnedBundle
from spanserve.fleet.placements import Placement
from spanserve.fleet.rollout import RolloutStatus
from spanserve.worker.run import EXIT_CUT_SHORT, EXIT_DEVICE_FAILED, EXIT_OK

#: Gauge of a worker that is told of a device without one, too.
_READY = "spanserve_worker_ready"


class Fleet:
    """One member for each placement.

    Args:
        changed: called whenever the state of a member changes.
    """

    def __init__(
        self,
        placements: Sequence[Placement],
        cores: Sequence[Cores],
        launch: Launch,
        changed: Callable[[], None],
    ) -> None:
        self.members = [
            Member(placement, share, launch, changed)
            for placement, share in zip(placements, cores, strict=True)
        ]
        self.rollout = RolloutStatus()

    @property
    def serving(self) -> int:
        """Workers that serve."""
        return sum(member.serving for member in self.members)

    @property
    def given_up(self) -> bool:
        """Whether no worker runs or will ever run again."""
        return all(member.state == GIVEN_UP for member in self.members)

    def start(self, pinned: PinnedBundle) -> None:
        for member in self.members:
            member.start(pinned)

    async def drain(self) -> None:
        """Drain every worker and wait for their ends."""
        lost = [member for member in self.members if member.state == GIVEN_UP]
        await asyncio.gather(*(member.stop() for member in self.members if member not in lost))

    def hurry(self) -> None:
        """Tell the workers that drain to be quick."""
        for member in self.members:
            member.hurry()

    def exit_status(self) -> int:
        """What the end of the supervisor says of its workers, like that of a single one."""
        lost = [member for member in self.members if member.state == GIVEN_UP]
        if lost:
            same = {member.last_status for member in self.members} == {EXIT_SETTINGS}
            return EXIT_SETTINGS if self.given_up and same else EXIT_DEVICE_FAILED
        return EXIT_CUT_SHORT if any(member.cut_short for member in self.members) else EXIT_OK

    def exposition(self) -> bytes:
        """Metrics of all workers and of the fleet, as of the last look at each."""
        return exposition(self._metrics())

    def ready(self) -> Health:
        """What each worker does; healthy while at least one serves."""
        rollout = self.rollout
        details = {
            "serving": self.serving,
            "workers": [_described(member) for member in self.members],
            "rollout": {"state": rollout.state, "bundle": rollout.bundle, "error": rollout.error},
        }
        return Health(good=self.serving > 0, details=details)

    def _metrics(self) -> Iterator[Metric]:
        starts = CounterMetricFamily("spanserve_fleet_starts", "Workers started.", labels=["device"])
        deaths = CounterMetricFamily(
            "spanserve_fleet_deaths", "Workers that ended without being told to.", labels=["device"]
        )
        for member in self.members:
            name = member.placement.name
            starts.add_metric([name], member.starts)
            deaths.add_metric([name], member.deaths)
            text = member.child.metrics if member.child else ""
            yield from member.history.families(text, name)
            if not text:
                absent = GaugeMetricFamily(_READY, "1 while the worker serves.", labels=["device"])
                absent.add_metric([name], 0)
                yield absent
        yield from (starts, deaths)
        workers = GaugeMetricFamily("spanserve_fleet_workers", "Workers, by state.", labels=["state"])
        for state, count in Counter(member.state for member in self.members).items():
            workers.add_metric([state], count)
        yield workers
        rollouts = CounterMetricFamily("spanserve_fleet_rollouts", "Rollouts, by end.", labels=["outcome"])
        rollouts.add_metric(["finished"], self.rollout.finished)
        rollouts.add_metric(["failed"], self.rollout.failed)
        yield rollouts


def _described(member: Member) -> dict[str, Any]:
    pinned = member.pinned
    return {
        "device": member.placement.name,
        "address": member.placement.address,
        "state": member.state,
        "pid": member.child.pid if member.child else None,
        "bundle": str(pinned.path) if pinned else None,
        "model_digest": member.digest if pinned else None,
        "starts": member.starts,
        "deaths": member.deaths,
        "reason": member.reason,
    }
