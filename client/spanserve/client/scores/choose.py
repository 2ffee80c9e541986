"""Which metric scores a data set, and whether it suits the script the data set is written in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from spanserve.client.errors import MetricError
from spanserve.client.scores.cmrc2018 import CMRC2018, DRCD
from spanserve.client.scores.korquad import KORQUAD
from spanserve.client.scores.mlqa import MLQA
from spanserve.squad import Dataset
from spanserve.squad.metric import Metric
from spanserve.squad.official import SQUAD_1, SQUAD_2

#: Name -> metric.
METRICS: Final = {metric.name: metric for metric in (SQUAD_1, *MLQA, CMRC2018, DRCD, KORQUAD)}
#: Scripts that words between white space do not suit -> their letters, and the metrics that do.
_UNSPACED: Final = {
    "Japanese": (re.compile("[\u3040-\u30ff]"), ""),
    "Chinese": (re.compile("[\u3400-\u4dbf\u4e00-\u9fff]"), "cmrc2018, drcd or mlqa:zh"),
    "Thai": (re.compile("[\u0e00-\u0e7f]"), ""),
    "Korean": (re.compile("[\uac00-\ud7af\u1100-\u11ff\u3130-\u318f]"), "korquad"),
}


@dataclass(frozen=True, slots=True)
class ChosenMetric:
    """A metric by name, as a user chose it; None: no choice."""

    name: str | None = None

    def of(self, dataset: Dataset) -> Metric:
        """The metric for a data set.

        Raises:
            MetricError: see `metric_of`.
        """
        return metric_of(self.name or SQUAD_1.name, dataset)

    def reason(self, dataset: Dataset) -> str:
        """Why it is that one."""
        if self.name is None:
            return f"the default for a data set like SQuAD v{dataset.version}"
        if self.name == SQUAD_1.name:
            return f"chosen by --metric, and the data set is like SQuAD v{dataset.version}"
        return "chosen by --metric"

    def warnings(self, dataset: Dataset) -> tuple[str, ...]:
        """What to be warned of, if it does not suit the data set."""
        warning = unsuitable(self.of(dataset), dataset)
        return () if warning is None else (warning,)


DEFAULT_METRIC: Final = ChosenMetric()


def metric_of(name: str, dataset: Dataset) -> Metric:
    """The metric of that name; `squad` is that of the version of the data set.

    Raises:
        MetricError: no metric has that name, or it needs a package that is missing.
    """
    if name not in METRICS:
        raise MetricError(f"no metric {name!r}, only {', '.join(METRICS)}")
    metric = SQUAD_2 if name == SQUAD_1.name and dataset.has_null_answers else METRICS[name]
    metric.tokens("a")  # finds out whether what it needs is installed, before hours of work
    return metric


def unsuitable(metric: Metric, dataset: Dataset) -> str | None:
    """What to be warned of, if words between white space are counted in a language that has none of that kind."""
    if metric.name != SQUAD_1.name:
        return None
    texts = [text for _, q in dataset.questions() for text in (q.text, *q.answers[:1])]
    letters = sum(map(str.isalpha, "".join(texts)))
    found = {
        name: sum(len(script.findall(text)) for text in texts) for name, (script, _) in _UNSPACED.items()
    }
    if 2 * sum(found.values()) <= letters:
        return None
    # A text with kana is Japanese, however many Chinese characters are in it.
    language = "Japanese" if 10 * found["Japanese"] > letters else max(found, key=lambda name: found[name])
    better = _UNSPACED[language][1]
    advice = f"--metric {better} suits it better" if better else "no metric here suits it better"
    return f"most of the text is {language}, and `squad` counts words between white space for F1: {advice}"
