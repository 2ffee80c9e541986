"""Whether a bundle is for the card that is here."""

from __future__ import annotations

import pytest

from spanserve.bundle import Arch
from spanserve.doctor.bundle import check_architecture


def built(arch: str, *clusters: int) -> list[Arch]:
    """What a bundle for one architecture says."""
    return [Arch(name=arch, clusters=clusters)]


@pytest.mark.parametrize(
    ("archs", "models", "verdict", "advice"),
    [
        pytest.param(built("mtp_372", 2, 6, 8), {"MLU370-X8"}, "ok", "", id="fits"),
        pytest.param(built("mtp_372", 6), {"MLU370-S4"}, "ok", "", id="just-fits"),
        pytest.param(built("mtp_372", 2), {"MLU370-S4", "MLU370-X4"}, "ok", "", id="either-fits"),
        pytest.param(built("mtp_592", 1), {"MLU590"}, "ok", "", id="without-a-dash"),
        pytest.param(built("mtp_372", 6, 8), {"MLU590-M9"}, "failed", "--mlu-arch mtp_592", id="arch"),
        pytest.param(built("mtp_372", 8), {"MLU370-S4"}, "failed", "--cluster-num 6", id="clusters"),
        pytest.param(
            built("mtp_372", 6), {"MLU999"}, "warning", "--mlu-arch and --cluster-num", id="unknown"
        ),
        pytest.param(
            built("mtp_372", 6),
            {"MLU370-X4", "MLU590"},
            "warning",
            "--mlu-arch and --cluster-num",
            id="mixed",
        ),
    ],
)
def test_architecture(archs: list[Arch], models: set[str], verdict: str, advice: str) -> None:
    """A card of another architecture or with too few clusters fails, one that is not known is left to people."""
    finding = check_architecture(archs, models)
    assert (verdict, True) == (finding.verdict.value, finding.advice.endswith(advice))
    assert all(model in finding.found for model in models)
