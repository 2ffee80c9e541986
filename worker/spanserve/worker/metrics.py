"""What a worker reports to Prometheus. Names start with `spanserve_`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from spanserve.contract import ErrorCode, Priority
from spanserve.device.telemetry import Reading
from spanserve.doors.grpc.observer import StreamObserver
from spanserve.doors.observer import DENIALS, AccessObserver, DoorObserver
from spanserve.doors.redis.observer import QueueObserver
from spanserve.engine.batcher import Batch
from spanserve.engine.observer import Observer
from spanserve.engine.request import Request
from spanserve.engine.spot_checks import SpotCheck
from spanserve.engine.state import State
from spanserve.queue import Claimed, End, Ended, JobState

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
#: Of whole tasks, closer than those of a stage: half of them lie where limits are set.
_TASK_SECONDS = (
    *(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075),
    *(0.1, 0.15, 0.2, 0.3, 0.5, 0.75),
    *(1, 1.5, 2, 3, 5, 7.5, 10, 20, 30, 60, 120, 300, 600),
)
_SHARES = tuple(step / 10 for step in range(1, 11))


class Metrics(Observer, DoorObserver, AccessObserver, StreamObserver, QueueObserver):
    """Counters, gauges and histograms of one worker, in a registry of their own: an observer like any other."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def counter(name: str, help_: str, *labels: str) -> Counter:
            return Counter(f"spanserve_{name}", help_, labels, registry=self.registry)

        def gauge(name: str, help_: str, *labels: str) -> Gauge:
            return Gauge(f"spanserve_{name}", help_, labels, registry=self.registry)

        def histogram(name: str, help_: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"spanserve_{name}", help_, labels, buckets=buckets, registry=self.registry)

        self.info = gauge(
            "worker_info", "Always 1; what the worker serves.", "worker", "device", "model_digest"
        )
        self.ready = gauge("worker_ready", "1 while the worker serves.")
        self.backlog_windows = gauge("backlog_windows", "Windows waiting for a batch.")
        self.streams = gauge("streams", "Open Work streams.")
        self.questions = counter("questions_total", "Questions ended, by outcome.", "outcome")
        self.tasks = counter("tasks_total", "Tasks ended.")
        self.refused = counter(
            "refused_items_total", "Items refused before they became work, by code.", "code"
        )
        self.calls_ended = counter(
            "calls_ended_total", "Calls that the gRPC door refused or ended, by cause.", "cause"
        )
        self.batches = counter("batches_total", "Batches sent to the device.")
        self.batches_failed = counter("batches_failed_total", "Batches that did not come back with logits.")
        self.host_restarts = counter("host_restarts_total", "Times the device host was restarted.")
        self.spot_checks = counter("spot_checks_total", "Goldens asked again while serving.", "outcome")
        self.spot_check_seconds = counter(
            "spot_check_seconds_total", "Seconds that goldens asked again had the device."
        )
        self.answers_in_doubt = gauge(
            "answers_in_doubt", "Answers that a wrong device may have given, by the files that list them."
        )
        # Labels are those of Cambricon's mlu-exporter.
        card = ("mlu", "model", "driver")
        self.card_utilization = gauge("card_utilization", "Per cent of the card that is busy.", *card)
        self.card_memory_used = gauge("card_memory_used_bytes", "Card memory in use, by any process.", *card)
        self.card_memory_total = gauge("card_memory_total_bytes", "Memory of the card.", *card)
        self.card_power = gauge("card_power_watts", "Power drawn by the card.", *card)
        self.card_temperature = gauge("card_temperature_celsius", "Temperature of the card.", *card)
        self.windows = counter("windows_total", "Windows sent to the device.")
        self.useful_tokens = counter("useful_tokens_total", "Tokens of those windows.")
        self.padded_tokens = counter("padded_tokens_total", "Tokens the device computed, padding included.")
        self.batch_fill = histogram(
            "batch_fill_ratio", "Windows in a batch, divided by the most it may hold.", _SHARES
        )
        self.device_seconds = histogram(
            "device_batch_seconds", "Seconds a batch ran on the device.", _SECONDS
        )
        self.stage_seconds = histogram(
            "stage_seconds", "Seconds a task spent in each stage.", _SECONDS, "stage"
        )
        self.task_seconds = histogram(
            "task_seconds",
            "Seconds from a task's arrival at the worker to its result.",
            _TASK_SECONDS,
            "priority",
        )
        self.queue_task_seconds = histogram(
            "queue_task_seconds",
            "Seconds from the entry of a task in the queue to its end.",
            _TASK_SECONDS,
            "priority",
        )
        self.queue_claimed = counter("queue_claimed_total", "Tasks leased from the queue.", "queue", "how")
        self.queue_ended = counter(
            "queue_ended_total", "Ends brought to the queue, by its reply.", "queue", "state", "outcome"
        )
        self.queue_put_aside = counter(
            "queue_put_aside_total",
            "Entries of the queue that were not work, or in another version.",
            "queue",
            "kind",
        )
        self.queue_held = gauge("queue_held_tasks", "Tasks leased to this worker.", "queue")
        self.queue_questions = gauge(
            "queue_questions",
            "Questions of all live tasks of the queue, waiting and leased; every worker reports the number.",
            "queue",
        )
        self.queue_leases_lost = counter(
            "queue_leases_lost_total", "Leases that went to another worker.", "queue"
        )
        self.queue_ends_not_brought = counter(
            "queue_ends_not_brought_total",
            "Computed tasks given back at the end: Redis did not take them.",
            "queue",
        )
        self.queue_breaker_open = gauge(
            "queue_breaker_open", "1 while the breaker stops claims, after too many faults.", "queue"
        )
        self.queue_broken = gauge(
            "queue_broken", "1 while the queue cannot be used; the worker goes on serving.", "queue"
        )
        self.queue_dead = gauge(
            "queue_dead_letters", "Dead letters in the queue; every worker reports the number.", "queue"
        )
        self.queue_dead_dropped = gauge(
            "queue_dead_letters_dropped", "Dead letters dropped because there were too many.", "queue"
        )
        self.credential_expiry = gauge(
            "credential_expiry_timestamp_seconds",
            "When a certificate, client CA, token or name expires, the nearest hundred.",
            *("kind", "name"),
        )
        self.credential_file_broken = gauge(
            "credential_file_broken", "1 while a file cannot be used and its old content is in force.", "kind"
        )
        self.denied = counter("denied_calls_total", "Calls that were not let in, by reason.", "reason")
        # There from the start: what appears with its first 1 is no increase to Prometheus.
        for reason in DENIALS:
            self.denied.labels(reason)
        self._task_seconds = {p: self.task_seconds.labels(p.name.lower()) for p in Priority}
        self._queue_task_seconds = {
            number: self.queue_task_seconds.labels(name) for number, name in ((1, "interactive"), (2, "bulk"))
        }
        self._stages = {
            stage: self.stage_seconds.labels(stage)
            for stage in ("queue", "tokenise", "wait", "device", "decode")
        }

    def card_read(self, found: Reading | None) -> None:
        """Note the state of the card; None: it is not known now. In any thread."""
        for name in ("utilization", "memory_used", "memory_total", "power", "temperature"):
            metric: Gauge = getattr(self, f"card_{name}")
            value: float | None = getattr(found, name, None)
            if found is None or value is None:
                metric.clear()
            else:
                metric.labels(found.card, found.model, found.driver).set(value)

    # --- of the engine

    def state_changed(self, state: State, reason: str) -> None:
        self.ready.set(state is State.READY)

    def backlog_changed(self, windows: int) -> None:
        self.backlog_windows.set(windows)

    def batch_formed(self, batch: Batch, max_batch: int) -> None:
        self.batches.inc()
        self.windows.inc(len(batch.rows))
        self.useful_tokens.inc(sum(row.window.tokens for row in batch.rows))
        self.padded_tokens.inc(len(batch.rows) * batch.length)
        self.batch_fill.observe(len(batch.rows) / max_batch)

    def batch_returned(self, batch: Batch, seconds: float) -> None:
        self.device_seconds.observe(seconds)

    def batch_failed(self, batch: Batch, error: BaseException) -> None:
        self.batches_failed.inc()

    def host_restarted(self) -> None:
        self.host_restarts.inc()

    def spot_check_passed(self, check: SpotCheck, seconds: float) -> None:
        self.spot_checks.labels("right").inc()
        self.spot_check_seconds.inc(seconds)

    def spot_check_wrong(self, check: SpotCheck, reason: str) -> None:
        self.spot_checks.labels("wrong").inc()

    def request_ended(self, request: Request[Any], result: Any) -> None:
        """Note the outcome of every question and where the time of the task went."""
        self.tasks.inc()
        for question in request.questions:
            self.questions.labels(
                "answer" if question.error is None else question.error.code.name.lower()
            ).inc()
        seconds = {
            "queue": request.encode_began - request.arrived,
            "tokenise": request.encode_ended - request.encode_began,
            "wait": request.wait_s,
            "device": request.device_s,
            "decode": request.decode_s,
        }
        for stage, histogram in self._stages.items():
            histogram.observe(max(0.0, seconds[stage]))
        if not request.cancelled:  # those that were withdrawn were not waited for
            self._task_seconds[request.task.priority].observe(request.total_s)

    # --- of the doors

    def item_refused(self, code: ErrorCode) -> None:
        self.refused.labels(code.name.lower()).inc()

    def credentials_seen(
        self, expiries: Sequence[tuple[str, str, float]], broken: Mapping[str, bool]
    ) -> None:
        self.credential_expiry.clear()
        for kind, name, expires in expiries:
            self.credential_expiry.labels(kind, name).set(expires)
        for kind, is_broken in broken.items():
            self.credential_file_broken.labels(kind).set(is_broken)

    def caller_denied(self, reason: str) -> None:
        self.denied.labels(reason).inc()

    def stream_opened(self) -> None:
        self.streams.inc()

    def stream_closed(self) -> None:
        self.streams.dec()

    def call_ended(self, cause: str) -> None:
        self.calls_ended.labels(cause).inc()

    def queue_opened(self, queue: str) -> None:
        for state in JobState:
            if state is not JobState.QUEUED:
                self.queue_ended.labels(queue, state.value, "ok")
        for kind in ("orphan", "leftover", "trimmed", "version"):
            self.queue_put_aside.labels(queue, kind)
        for metric in (
            self.queue_leases_lost,
            self.queue_ends_not_brought,
            self.queue_breaker_open,
            self.queue_broken,
        ):
            metric.labels(queue)

    def tasks_claimed(self, queue: str, claimed: Claimed, how: str) -> None:
        self.queue_claimed.labels(queue, how).inc(len(claimed.entries))
        self.queue_put_aside.labels(queue, "orphan").inc(claimed.orphans)
        self.queue_put_aside.labels(queue, "leftover").inc(claimed.leftovers)
        self.queue_put_aside.labels(queue, "trimmed").inc(claimed.trimmed)
        self.queue_put_aside.labels(queue, "version").inc(claimed.foreign)

    def tasks_held(self, queue: str, tasks: int) -> None:
        self.queue_held.labels(queue).set(tasks)

    def queue_seen(self, queue: str, questions: int) -> None:
        self.queue_questions.labels(queue).set(questions)

    def lease_lost(self, queue: str) -> None:
        self.queue_leases_lost.labels(queue).inc()

    def task_ended(self, queue: str, end: End, outcome: Ended | None) -> None:
        self.queue_ended.labels(queue, end.state.value, outcome or "refused").inc()

    def task_aged(self, queue: str, end: End, age_s: float) -> None:
        if end.state is not JobState.CANCELLED:
            self._queue_task_seconds[end.lease.number].observe(age_s)

    def ends_not_brought(self, queue: str, tasks: int) -> None:
        self.queue_ends_not_brought.labels(queue).inc(tasks)

    def dead_letters_seen(self, queue: str, tasks: int, dropped: int) -> None:
        self.queue_dead.labels(queue).set(tasks)
        self.queue_dead_dropped.labels(queue).set(dropped)

    def trouble_changed(self, queue: str, *, well: bool) -> None:
        self.queue_broken.labels(queue).set(not well)

    def breaker_changed(self, queue: str, *, closed: bool) -> None:
        self.queue_breaker_open.labels(queue).set(not closed)
