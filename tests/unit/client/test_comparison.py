"""Two runs, question by question."""

from __future__ import annotations

from pathlib import Path

import pytest

from spanserve.client.errors import OutputError
from spanserve.client.report.comparison import Comparison, bootstrap, mcnemar, write_comparison
from spanserve.client.report.table import TABLE_NAME, read_table, write_table
from spanserve.client.scores import score_run
from spanserve.squad import Dataset, DatasetQuestion, Passage

HOSTILE = "<script>alert(1)</script>"


def dataset() -> Dataset:
    """Four questions about two passages; one name has everything that CSV must quote."""
    first = (
        DatasetQuestion("a", "What?", ("oak",), False),
        DatasetQuestion('b,"\n', f"Who {HOSTILE}?", ("elm tree", "elm"), False),
    )
    second = (
        DatasetQuestion("c", "What now?", ("fir",), False),
        DatasetQuestion("d", "Why?", ("ash",), False),
    )
    passages = (Passage(0, "t", "c", first), Passage(1, "u", "c" * 200_000, second))
    return Dataset(name="made", version="1.1", sha256="0" * 64, passages=passages)


def scored(folder: Path, **predictions: str) -> Path:
    """An output folder with a table; `b` stands for the odd name."""
    texts = {'b,"\n' if name == "b" else name: text for name, text in predictions.items()}
    folder.mkdir()
    write_table(folder / TABLE_NAME, dataset(), score_run(dataset(), texts), texts)
    return folder


def test_table(tmp_path: Path) -> None:
    """What is written is read again, whatever is in it."""
    rows = read_table(scored(tmp_path / "out", a="oak", b=f"elm {HOSTILE}", c="x" * 200_000))
    assert ["a", 'b,"\n', "c", "d"] == [row.id for row in rows]
    assert [0, 0, 1, 1] == [row.passage for row in rows]
    assert ["what", "who", "what", "why"] == [row.type for row in rows]
    assert ("oak", 1.0, 1.0, "", None) == (
        rows[0].prediction,
        rows[0].exact,
        rows[0].f1,
        rows[0].error,
        rows[0].score,
    )
    assert '["elm tree", "elm"]' == rows[1].answers
    assert "NO_RESULT" == rows[3].error


def test_comparison(tmp_path: Path) -> None:
    """Better and worse are counted by F1 and by question type; the page shows it, and text stays text."""
    before = scored(tmp_path / "before", a="oak", b="elm", c="x", d="ash")
    after = scored(tmp_path / "after", a="x", b=f"elm {HOSTILE}", c="fir", d="ash")
    found = Comparison.of(before, after)
    # a: 1 to 0; b: "elm scriptalert1script" against "elm": precision 1/2, recall 1: 2/3; c: 0 to 1; d stays
    assert (1, 2) == (found.overall.better, found.overall.worse)
    assert (75.0, 50.0) == found.overall.exact
    assert pytest.approx((75.0, 100 * (2 / 3 + 1 + 1) / 4)) == found.overall.f1
    assert [("what", 2, 1, 1), ("who", 1, 0, 1), ("why", 1, 0, 0)] == [
        (change.name, change.total, change.better, change.worse) for change in found.types
    ]
    # exact: c won, a and b lost: of 3 flips at most 1 won, twice (1 + 3) / 8
    assert ((1, 2), 1.0) == (found.exact_flips, found.p_value)
    assert "p 1.0000" == found.p_shown
    assert ["a", 'b,"\n', "c"] == [pair.before.id for pair in found.changes]
    write_comparison(tmp_path / "compare.html", found)
    page = (tmp_path / "compare.html").read_text("utf-8")
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "-8.33" in page


def test_different_questions(tmp_path: Path) -> None:
    """Questions of one run only are counted and left out; without common ones there is nothing to compare."""
    before, after = scored(tmp_path / "before", a="oak"), scored(tmp_path / "after", a="oak")
    lines = (after / TABLE_NAME).read_text("utf-8").splitlines(keepends=True)
    (after / TABLE_NAME).write_text("".join(lines[:2]), "utf-8")
    assert (3, 0) == (Comparison.of(before, after).only_before, Comparison.of(before, after).only_after)
    (after / TABLE_NAME).write_text(lines[0], "utf-8")
    with pytest.raises(OutputError, match="no question in common"):
        Comparison.of(before, after)


def test_other_script(tmp_path: Path) -> None:
    """Runs that are scored by different scripts are compared with a warning; so are other texts under one id."""
    before, after = scored(tmp_path / "before", a="oak"), scored(tmp_path / "after", a="oak")
    assert () == Comparison.of(before, after).warnings
    text = (after / TABLE_NAME).read_text("utf-8")
    (after / TABLE_NAME).write_text(
        text.replace("evaluate-v1.1.py", "other.py").replace("Why?", "How?"), "utf-8"
    )
    scripts, texts = Comparison.of(before, after).warnings
    assert "scored by different scripts, evaluate-v1.1.py and other.py" in scripts
    assert texts.startswith("1 questions have the same id but different texts")


def test_no_table(tmp_path: Path) -> None:
    """A folder without the table is refused with what writes it, and another file as what it is not."""
    with pytest.raises(OutputError, match="`spanserve eval --resume`"):
        read_table(tmp_path)
    (tmp_path / TABLE_NAME).write_text("id,exact\nq1,1\n")
    with pytest.raises(OutputError, match="is not a table of questions"):
        read_table(tmp_path)


@pytest.mark.parametrize(
    ("won", "lost", "p"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),  # 2 * 1/2
        (0, 5, 0.0625),  # 2 / 32
        (1, 9, 22 / 1024),  # 2 * (1 + 10) / 1024
        (5, 5, 1.0),
    ],
)
def test_mcnemar(won: int, lost: int, p: float) -> None:
    """The exact two-sided p of a fair coin, the same both ways round."""
    assert p == pytest.approx(mcnemar(won, lost))
    assert mcnemar(won, lost) == mcnemar(lost, won)


def test_many_flips() -> None:
    """Thousands of flips are no trouble: 4,900 of 10,000 are two standard deviations from even, p about 0.047."""
    assert 0.047 == pytest.approx(mcnemar(4900, 5100), abs=0.001)


def test_bootstrap() -> None:
    """The interval holds the mean, is the same every time, and is wider where questions come in groups."""
    changes = [0.0, 1.0, 0.0, -1.0, 1.0, 0.0] * 20
    low, high = bootstrap([[change] for change in changes])
    assert low < sum(changes) / len(changes) < high
    assert (low, high) == bootstrap([[change] for change in changes])
    grouped = sorted(changes)
    wide = bootstrap([grouped[i : i + 10] for i in range(0, len(grouped), 10)])
    assert wide[1] - wide[0] > high - low
    assert (0.5, 0.5) == bootstrap([[0.5]] * 3)
