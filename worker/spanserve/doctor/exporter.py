"""mlu-exporter, Cambricon's Prometheus exporter: XID and ECC errors and the health of a card."""

from __future__ import annotations

import http.client

from prometheus_client.parser import text_string_to_metric_families

from spanserve.doctor.finding import Finding, failed, ok, warning

_PATIENCE_S = 5.0
#: Errors that a card counts or names, without the prefix that the exporter may be given another of.
_ERRORS = ("xid_error", "xid_error_count", "last_xid_error", "ecc_error_total")
_HEALTH = "health"


def check_exporter(address: str, card: int | None) -> Finding:
    """Ask for errors.

    Args:
        address: HOST:PORT.
        card: by its number in the machine; None: all of them.
    """
    name = "XID and ECC"
    try:
        text = _get(address)
    except (OSError, http.client.HTTPException) as error:
        return ok(name, f"no mlu-exporter at {address} ({error}); XID errors are in dmesg")
    try:
        errors, sick = _read(text, card)
    except ValueError as error:
        return warning(name, f"what {address} shows cannot be read: {error}", "is that an mlu-exporter?")
    if sick:
        return failed(name, "; ".join(sick), "take the card out of service until cnmon and dmesg are clean")
    if errors:
        return warning(name, ", ".join(errors), "if they grow, the card is faulty: cnmon info, dmesg")
    return ok(name, f"none, according to mlu-exporter at {address}")


def _get(address: str) -> str:
    connection = http.client.HTTPConnection(address, timeout=_PATIENCE_S)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode(errors="replace")
    finally:
        connection.close()


def _read(text: str, card: int | None) -> tuple[list[str], list[str]]:
    """Errors that were counted, and what makes cards sick.

    Raises:
        ValueError: it is not Prometheus' text format.
    """
    errors, sick = [], []
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            number = sample.labels.get("mlu", "")
            if "mlu" not in sample.labels or (card is not None and number != str(card)):
                continue
            bare = sample.name.partition("_")[2]
            if bare in _ERRORS and sample.value:
                errors.append(f"{bare} {sample.value:g} on card {number}")
            elif bare == _HEALTH and not sample.value:
                reason = sample.labels.get("unhealth_reason", "")
                sick.append(f"card {number} is not healthy" + (f": {reason}" if reason else ""))
    return errors, sick
