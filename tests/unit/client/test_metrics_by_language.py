"""Metrics by language, each on cases worked out by hand from its official script."""

from __future__ import annotations

import pytest

from spanserve.client.errors import MetricError
from spanserve.client.scores import METRICS, SQUAD_1, ChosenMetric, metric_of, score_run, unsuitable
from spanserve.squad import Dataset, DatasetQuestion, Passage


def dataset(*questions: tuple[str, str], version: str = "1.1") -> Dataset:
    """Questions with their gold answer."""
    asked = tuple(
        DatasetQuestion(str(i), text, (gold,) if gold else (), not gold)
        for i, (text, gold) in enumerate(questions)
    )
    passages = (Passage(0, "t", "c", asked),)
    return Dataset(name="made", version=version, sha256="0" * 64, passages=passages)


@pytest.mark.parametrize(
    ("metric", "prediction", "golds", "exact", "f1"),
    [
        # articles of English go: "bank" against "old bank": 1 common, precision 1/1, recall 1/2: 2 * 1/2 / (3/2)
        ("mlqa:en", "The Bank", ["an old bank"], 0, 2 / 3),
        # ... and those of German: "alte haus" is both
        ("mlqa:de", "das alte Haus", ["alte Haus."], 1, 1),
        # "einer" is an article, "eins" is not: "eins" against "zwei"
        ("mlqa:de", "eins", ["einer zwei"], 0, 0),
        ("mlqa:es", "los años ¿1871?", ["unos años 1871"], 1, 1),
        # "những" goes; "ngôi nhà" against "nhà": 1 common, precision 1/2, recall 1
        ("mlqa:vi", "những ngôi nhà", ["nhà"], 0, 2 / 3),
        # Hindi has none; U+0964 is punctuation to Unicode and not to ASCII
        ("mlqa:hi", "१८७१ में।", ["१८७१ में"], 1, 1),
        # every alef-lam becomes a blank, within a word too: "مدينة" is both
        ("mlqa:ar", "المدينة", ["مدينة"], 1, 1),
        # 北 京 市 against 北 京: 2 common, precision 2/3, recall 1: 2 * 2/3 / (5/3)
        ("mlqa:zh", "北京市", ["北京"], 0, 0.8),
        # Latin words stay whole: "1871 年" against "1871": precision 1/2, recall 1
        ("mlqa:zh", "1871年", ["1871。"], 0, 2 / 3),
        # characters in another order are as good, for they are counted
        ("mlqa:zh", "京北", ["北京"], 0, 1),
        # the longest common run counts: 京 or 北, 1 of 2: precision 1/2, recall 1/2
        ("cmrc2018", "京北", ["北京"], 0, 0.5),
        # 北 京 大 学 against 北 京 的 大 学: run 北 京 (or 大 学) is 2: precision 2/4, recall 2/5: 2 * 0.2 / 0.9
        ("cmrc2018", "北京大学", ["北京的大学"], 0, 4 / 9),
        # listed punctuation goes from both; ASCII's full stop is not listed
        ("cmrc2018", "《北京》，", ["北京"], 1, 1),
        ("cmrc2018", "北京.", ["北京"], 0, 0.8),
        # the last gold answer: Word and 1871 stay whole: "in" "1871" 年 against "1871" 年: run 2: 2/3 and 2/2
        ("cmrc2018", "In 1871年", ["北京", "1871年"], 0, 0.8),
        # white space counts for exact match, not for F1
        ("cmrc2018", "北 京", ["北京"], 0, 1),
        ("drcd", "北京大學", ["大學"], 0, 2 / 3),
        # characters for F1: 한 국 전 쟁 against 한 국: precision 2/4, recall 1
        ("korquad", "한국 전쟁", ["한국"], 0, 2 / 3),
        # marks part words and are no characters
        ("korquad", "《한국》", ["한국"], 1, 1),
        # white space makes a difference for exact match alone
        ("korquad", "한국전쟁", ["한국 전쟁"], 0, 1),
        # "a-b" is one word "ab"; <a> b is two
        ("korquad", "A-B", ["ab"], 1, 1),
        ("korquad", "<a>b", ["ab"], 0, 1),
    ],
)
def test_metric(metric: str, prediction: str, golds: list[str], exact: float, f1: float) -> None:
    """Exact match and F1 are what the script's arithmetic gives on paper."""
    score = METRICS[metric].score(prediction, golds)
    assert exact == score.exact
    assert f1 == pytest.approx(score.f1)


@pytest.mark.parametrize("name", METRICS)
def test_of_every_metric(name: str) -> None:
    """What is equal is an exact match; what shares nothing has neither; no prediction has neither."""
    metric = METRICS[name]
    assert (1, 1) == (metric.score("北 1871", ["北 1871"]).exact, metric.score("北 1871", ["北 1871"]).f1)
    assert (0, 0) == (metric.score("x", ["y"]).exact, metric.score("x", ["y"]).f1)
    assert (0, 0) == (metric.score("", ["y"]).exact, metric.score("", ["y"]).f1)


def test_no_answer_is_right_in_every_metric() -> None:
    """Where a question has no answer, none is right, though the scripts of other metrics know no such questions."""
    scores = score_run(
        dataset(("谁？", "北京"), ("谁？", ""), version="2.0"),
        {"0": "北京", "1": ""},
        metric=METRICS["mlqa:zh"],
    )
    assert (100.0, 100.0) == (scores.overall.exact, scores.overall.f1)


def test_choice() -> None:
    """`squad` follows the version of the data set; the reason says who chose."""
    assert "evaluate-v1.1.py" == ChosenMetric().of(dataset(("Who?", "x"))).script
    two = dataset(("Who?", ""), version="2.0")
    assert "evaluate-v2.0.py" == ChosenMetric("squad").of(two).script
    assert "the default for a data set like SQuAD v2.0" == ChosenMetric().reason(two)
    assert "chosen by --metric" == ChosenMetric("korquad").reason(two)


@pytest.mark.parametrize("name", ["mlqa", "mlqa:fr", "SQuAD", ""])
def test_unknown(name: str) -> None:
    """A metric that does not exist is refused with those that do."""
    with pytest.raises(MetricError, match="squad, mlqa:en"):
        metric_of(name, dataset(("Who?", "x")))


def test_without_nltk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without NLTK the refusal comes before the run, and names what brings it."""
    from spanserve.client.scores import cmrc2018

    cmrc2018._words.cache_clear()
    for name in ("nltk", "nltk.tokenize"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(MetricError, match=r"pip install 'spanserve\[chinese\]'"):
        metric_of("drcd", dataset(("Who?", "x")))


@pytest.mark.parametrize(
    ("questions", "words"),
    [
        ([("谁写了这本书？", "鲁迅")], "mostly|Chinese.*--metric cmrc2018, drcd or mlqa:zh"),
        ([("首都はどこですか", "東京都")], "Japanese.*no metric here suits it better"),
        ([("เมืองหลวงคือที่ไหน", "กรุงเทพ")], "Thai.*no metric here"),
        ([("수도는 어디인가?", "서울")], "Korean.*--metric korquad"),
    ],
)
def test_unsuitable(questions: list[tuple[str, str]], words: str) -> None:
    """Where most letters are of a language without white space between words, `squad` is warned of."""
    data = dataset(*questions)
    warning = unsuitable(SQUAD_1, data)
    assert warning is not None
    for part in words.split("|")[-1].split(".*"):
        assert part in warning
    assert (warning,) == ChosenMetric().warnings(data)
    assert None is unsuitable(METRICS["korquad"], data)


def test_suitable() -> None:
    """A few such letters in another language are no reason to warn."""
    assert None is unsuitable(SQUAD_1, dataset(("What is the capital of China (中国)?", "Beijing (北京)")))
