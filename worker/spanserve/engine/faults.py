"""Internal faults: the log gets the details, the client an id to quote."""

from __future__ import annotations

import secrets

import structlog

from spanserve.contract import ErrorCode, Refusal
from spanserve.contract.trace import TraceContext, logged

log = structlog.get_logger(__name__)


def internal_error(stage: str, error: BaseException, *traces: TraceContext | None) -> Refusal:
    """Log an unexpected error, and the refusal that stands for it.

    Args:
        traces: of the tasks that it concerns.
    """
    reference = secrets.token_hex(8)
    log.error("internal error", stage=stage, reference=reference, exc_info=error, **logged(*traces))
    return Refusal(ErrorCode.INTERNAL, f"internal error in {stage}, reference {reference}")
