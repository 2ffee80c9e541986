"""The report: its figures, its marks, and that nothing of the data becomes markup."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from spanserve.client.commands.show import show
from spanserve.client.duration import duration, microseconds
from spanserve.client.evaluation.results import Results
from spanserve.client.evaluation.sessions import NO_SESSIONS, Padding, Session, Sessions
from spanserve.client.report import RunSummary, render_report, write_report
from spanserve.client.report.breakdown import (
    answer_length,
    by_answer_length,
    by_question_type,
    latency,
    question_type,
    windows_per_question,
)
from spanserve.client.report.charts import histogram, score_bar, stacked_bar
from spanserve.client.report.failures import Piece, marked, worst_answers
from spanserve.client.scores import score_run
from spanserve.contract import (
    Answer,
    ErrorCode,
    NBest,
    Options,
    QuestionResult,
    Refusal,
    Span,
    TaskResult,
    Timing,
    WorkerStatus,
)
from spanserve.squad import Dataset, DatasetQuestion, Passage

HOSTILE = "<script>alert(1)</script>"
CONTEXT = f"The cat sat on the mat. {HOSTILE} גם חתול & 猫."


def answer(text: str, score: float, *, windows: int = 1, no_answer: float = -9.0) -> Answer:
    start = CONTEXT.index(text)
    columns = NBest((start,), (start + len(text),), (score,))
    return Answer(Span(text, start, start + len(text), score), columns, no_answer, windows)


def summary(version: str = "1.1") -> RunSummary:
    """Four questions: a right, b half right, c wrong and sure, d failed; in v2.0 also e, impossible."""
    questions = [
        DatasetQuestion("a", "What sat on the mat?", ("cat",), False),
        DatasetQuestion("b", "Where did it sit?", ("the mat",), False),
        DatasetQuestion("c", f"Who {HOSTILE}?", ("猫",), False),
        DatasetQuestion("d", "How many?", ("one",), False),
    ]
    outcomes = [
        QuestionResult("a", answer=answer("cat", 5.0)),
        QuestionResult("b", answer=answer("on the mat", 4.0, windows=2)),
        QuestionResult("c", answer=answer(HOSTILE, 9.0)),
        QuestionResult("d", error=Refusal(ErrorCode.INTERNAL, f"fault {HOSTILE}")),
    ]
    if version == "2.0":
        questions.append(DatasetQuestion("e", "Why?", (), True))
        outcomes.append(QuestionResult("e", answer=answer("sat", 1.0, no_answer=8.0)))
    passage = Passage(0, f"Cats_{HOSTILE}", CONTEXT, tuple(questions))
    dataset = Dataset(name=f"cats {HOSTILE}", version=version, sha256="ab" * 32, passages=(passage,))
    results = Results(dataset.question_ids)
    results.add(
        TaskResult(
            id="p0",
            questions=tuple(outcomes),
            worker=f"w{HOSTILE}",
            model_digest="cd" * 32,
            timing=Timing(10, 20, 30, 900, 40),
        )
    )
    odds = results.null_odds() if version == "2.0" else None
    worker = WorkerStatus(
        worker=f"w{HOSTILE}",
        device="sim:fixed",
        model="minilm",
        precision="int8",
        max_seq_length=384,
        max_batch_size=16,
        version="1.2.2",
        runtime="openvino 2026.4",
        tokenizer="uncased, 30,522 pieces",
        simulated=True,
    )
    return RunSummary(
        dataset=dataset,
        results=results,
        scores=score_run(dataset, results.predictions(), odds),
        options=Options(),
        sessions=Sessions(
            (
                Session(
                    finished="2026-01-02T03:04:00+00:00",
                    command=f"spanserve eval {HOSTILE}",
                    version="1.2.3",
                    seconds=2.0,
                    questions=len(outcomes),
                    copies=12,
                    padding=Padding(900, 1000),
                    workers=(worker,),
                    silent=(f"card9:50051: {HOSTILE}",),
                ),
            )
        ),
        warnings=(f"beware {HOSTILE}",),
    )


class Outline(HTMLParser):
    """Checks that elements nest; collects the tags and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def outline(html: str) -> Outline:
    parser = Outline()
    parser.feed(html)
    parser.close()
    assert [] == parser.open
    return parser


@pytest.mark.parametrize("version", ["1.1", "2.0"])
def test_report_is_safe_and_whole(version: str) -> None:
    """Texts of data set and workers stay text, elements nest, and nothing is loaded from anywhere."""
    html = render_report(summary(version))
    assert "script" not in outline(html).tags
    assert outline(html).text.count(HOSTILE) >= 8
    assert not re.search(r"(?:src|href)\s*=|url\(|@import|https?://", html)


def test_header() -> None:
    """The title has the data set's name; the figures of the run stand on top."""
    html = render_report(replace(summary(), dataset=replace(summary().dataset, name="cats")))
    # exact 1/4; f1 (1 + 2/3 + 0 + 0) / 4, for "on the mat" against "the mat": 1/2 and 1/1
    assert "<title>cats: 25.00 exact, 41.67 F1</title>" in html
    text = " ".join(outline(html).text.split())
    for figure in ("Wall time2.0 s", "Questions per second2.0", "Modelminilmint8", "Workers1sim:fixed"):
        assert figure in text
    assert "finished 2026-01-02 03:04 UTC" in text
    assert "90.0 % are text" in text
    assert "12 tasks were taken by another worker" in text


def test_facts() -> None:
    """The command line, versions, runtime and tokenizer stand in the report; so do workers that gave nothing."""
    (session,) = summary().sessions.all
    idle = replace(session.workers[0], worker="idle", simulated=False)
    sessions = Sessions((replace(session, workers=(*session.workers, idle)),))
    text = " ".join(outline(render_report(replace(summary(), sessions=sessions))).text.split())
    for words in (
        "spanserve eval",
        "1.2.3",
        "1.2.2",
        "openvino 2026.4",
        "uncased, 30,522 pieces",
        "sim:fixed simulated",
        "asked, but never answered: card9:50051",
        "idle",
    ):
        assert words in text
    assert "<details open>" in render_report(summary())


def test_resumed_rate() -> None:
    """The rate of a resumed run counts only what came back within its wall time."""
    (whole,) = summary().sessions.all
    run = replace(summary(), sessions=Sessions((replace(whole, questions=1),)))
    assert 0.5 == run.questions_per_second
    assert "25% of the questions" in render_report(run)
    # a second session adds its questions and its seconds; one that found nothing to do adds nothing
    more = replace(whole, questions=3, seconds=6.0, padding=Padding(100, 1000))
    run = replace(summary(), sessions=Sessions((*run.sessions.all, more, replace(more, questions=0))))
    assert (8.0, 0.5) == (run.wall_seconds, run.questions_per_second)
    assert Padding(1000, 2000) == run.padding
    assert None is replace(run, one_clock=False).wall_seconds


def test_useful_tokens_in_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The row of the tokens says which share it gives: "padding" is the other one where a worker reports it."""
    show(summary(), tmp_path, json_output=False)
    printed = capsys.readouterr().out
    assert re.search(
        r"^tokens +0\.900 of those computed were useful, the rest padding *$", printed, re.MULTILINE
    )


def test_unknown_figures() -> None:
    """A run without times, workers and padding, or without a single result, still has a report."""
    bare = replace(summary(), sessions=NO_SESSIONS, warnings=())
    assert "Wall time" not in outline(render_report(bare)).text
    empty = replace(bare, results=Results(bare.dataset.question_ids), scores=score_run(bare.dataset, {}))
    assert "4 without a result" in outline(render_report(empty)).text


def test_v2_report() -> None:
    """A v2.0 run shows both kinds of questions, the best thresholds, and "no answer" as a length."""
    text = outline(render_report(summary("2.0"))).text
    for words in ("Without an answer", "Best threshold", "Odds above 0.0 count as no answer", "no answer"):
        assert words in text


def test_write_report(tmp_path: Path) -> None:
    """The file holds the rendered report as UTF-8."""
    write_report(tmp_path, summary())
    assert render_report(summary()) == (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("In what year did it end?", "what"),
        ("Whose idea was it?", "who"),
        ("To whom was it sold?", "who"),
        ("How many were there?", "how many"),
        ("How much did it cost?", "how many"),
        ("HOW was it made?", "how"),
        ("On which day?", "which"),
        ("Somewhat whatever?", "other"),
        ("谁？", "other"),
    ],
)
def test_question_type(text: str, expected: str) -> None:
    """The first question word decides; it has to be a whole word."""
    assert expected == question_type(text)


@pytest.mark.parametrize(
    ("gold", "expected"),
    [
        ("the cat", "1"),
        ("The", "1"),
        ("a b c", "2"),
        ("b c d", "3-4"),
        ("b c d e", "3-4"),
        ("1 2 3 4 5", "5-8"),
        ("1 2 3 4 5 6 7 8", "5-8"),
        ("1 2 3 4 5 6 7 8 9", "9+"),
    ],
)
def test_answer_length(gold: str, expected: str) -> None:
    """Length counts the tokens that F1 compares, at least one."""
    assert expected == answer_length(DatasetQuestion("q", "?", (gold, "other"), False))


def test_groups() -> None:
    """Groups come in a fixed order, hold every question once, and leave out what does not occur."""
    run = summary("2.0")
    types = by_question_type(run.dataset, run.scores)
    assert ["what", "who", "where", "why", "how many"] == [group.name for group in types]
    lengths = by_answer_length(run.dataset, run.scores)
    assert [("1", 4), ("no answer", 1)] == [(group.name, group.scores.total) for group in lengths]
    # "e" is impossible and its odds 7 exceed 0
    assert 100.0 == lengths[-1].scores.exact


def test_windows() -> None:
    """Answers are counted by the windows they were cut into."""
    assert [(1, 2), (2, 1)] == windows_per_question(summary().results)


def test_latency() -> None:
    """Times are those of whole tasks, whatever their stages add up to; the last bin holds what lies beyond p99."""
    timings = [Timing(queue_us=10, device_us=10 * i, total_us=10 + 10 * i) for i in range(1, 101)]
    timings = [replace(timing, wait_us=7, decode_us=5) for timing in timings]
    found = latency(timings, bins=10)
    assert found is not None
    # totals 20, 30, ... 1010; nearest rank of 0.5 is the 51st, 520; of 0.99 the 100th, 1010
    assert (520, 1010, 1010) == (found.p50_us, found.p99_us, found.histogram.limit)
    assert 100 == sum(found.histogram.counts)
    assert {"queue": 10.0, "tokenise": 0.0, "wait": 7.0, "device": 505.0, "decode": 5.0} == found.stages


def test_latency_of_older_workers() -> None:
    """Where a worker does not say how long a task took in all, its stages are added up."""
    found = latency([Timing(1, 2, 3, 4, 5)])
    assert found is not None
    assert 15 == found.p50_us


@pytest.mark.parametrize("timings", [[], [Timing()]], ids=["none", "zero"])
def test_no_latency(timings: list[Timing]) -> None:
    """Without measured times there is nothing to draw."""
    assert latency(timings) is None


P, G, B = "predicted", "gold", "both"


@pytest.mark.parametrize(
    ("predicted", "golds", "expected"),
    [
        pytest.param((1, 3), ["cd"], [("a", ""), ("b", P), ("c", B), ("d", G), ("e", "")], id="overlap"),
        pytest.param((0, 5), ["bc"], [("a", P), ("bc", B), ("de", P)], id="gold-inside"),
        pytest.param((1, 2), ["b", "b", "bc"], [("a", ""), ("b", B), ("c", G), ("de", "")], id="two-golds"),
        pytest.param(None, ["ab"], [("ab", G), ("cde", "")], id="no-answer"),
        pytest.param((0, 1), ["xyz"], [("a", P), ("bcde", "")], id="gold-not-found"),
        pytest.param(None, [], [("abcde", "")], id="nothing"),
    ],
)
def test_marked(predicted: tuple[int, int] | None, golds: list[str], expected: list[tuple[str, str]]) -> None:
    """The pieces make up the context, each marked by what covers it."""
    assert tuple(Piece(*piece) for piece in expected) == marked("abcde", predicted, golds)


def test_long_context_is_shortened() -> None:
    """A long context is cut to the neighbourhood of its marks, and says so."""
    pieces = marked("x" * 5000 + "猫" + "y" * 5000, (5000, 5001), ["猫"])
    assert [
        "… ",
        "x" * 600,
        "猫",
        "y" * 600,
        " …",
    ] == [part for piece in pieces for part in re.findall(r"…\s|x+|猫|y+|\s…", piece.text)]


def test_worst_answers() -> None:
    """The lowest F1 comes first, the surest of them before the others; right and failed ones are left out."""
    articles = worst_answers(summary())
    assert [f"Cats_{HOSTILE}"] == list(articles)
    assert ["c", "b"] == [failure.id for failures in articles.values() for failure in failures]
    assert 1 == sum(map(len, worst_answers(summary(), count=1).values()))


def test_charts() -> None:
    """A drawing says in words what it shows and keeps its shapes inside its box."""
    assert "exact 20.0 %, F1 50.0 %" in score_bar(20, 50)
    assert 'width="75.000"' in stacked_bar([("a", 3), ("b", 1)], "x < y")
    assert "x &lt; y" in stacked_bar([("a", 0)], "x < y")
    found = latency([Timing(device_us=5)])
    assert found is not None
    assert 'height="40.000"' in histogram(found.histogram, "times")


@pytest.mark.parametrize(
    ("seconds", "expected"), [(8.26, "8.3 s"), (247.3, "4 min 07 s"), (59.97, "60.0 s"), (7500, "2 h 05 min")]
)
def test_duration(seconds: float, expected: str) -> None:
    """Durations are rounded to what a reader can use."""
    assert expected == duration(seconds)


@pytest.mark.parametrize(
    ("value", "expected"), [(840, "840 µs"), (12_340, "12.3 ms"), (1_254_000, "1.25 s"), (9e7, "1 min 30 s")]
)
def test_microseconds(value: float, expected: str) -> None:
    """Times are shown in the unit that fits."""
    assert expected == microseconds(value)
