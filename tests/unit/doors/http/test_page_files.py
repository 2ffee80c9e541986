"""The files of the page, as they lie there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from spanserve.doors import http

FILES = Path(http.__path__[0]) / "page"
INDEX = (FILES / "index.html").read_text(encoding="utf-8")
#: A file is one noun.
MAX_LINES = 400
#: Names a drawing, and is never asked for.
NAMESPACE = "http://www.w3.org/2000/svg"


def table(language: str) -> dict[str, str]:
    """The words of a language."""
    text = (FILES / f"words.{language}.js").read_text(encoding="utf-8")
    body = re.sub(r",(\s*)\};?\s*$", r"\1}", text.partition(" = ")[2])
    found = json.loads(body)
    assert isinstance(found, dict)
    return found


def values(words: str) -> set[str]:
    """Names of the values in words: `{limit}`."""
    return set(re.findall(r"\{(\w+)\}", words))


@pytest.mark.parametrize("path", sorted(FILES.iterdir()), ids=lambda path: path.name)
def test_files_are_short_and_local(path: Path) -> None:
    """No file has 400 lines or names another place, and none has markup or style made of text."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < MAX_LINES
    assert None is re.search(r"(https?:|[\"'(])//", text.replace(NAMESPACE, ""))
    assert None is re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\b| style=", text)


def test_parts_are_there() -> None:
    """Every file that the page or one of its modules names lies beside it, and every file is named."""
    named = set(re.findall(r'"page/([^"]+)"', INDEX))
    for module in FILES.glob("*.js"):
        named |= set(re.findall(r'from "\./([^"]+)"', module.read_text(encoding="utf-8")))
    assert {path.name for path in FILES.iterdir()} == named | {"index.html"}


def test_languages_say_the_same() -> None:
    """Both tables have the same keys in the same order, and the same values in their words."""
    english, chinese = table("en"), table("zh")
    assert list(english) == list(chinese)
    assert [] == [key for key in english if values(english[key]) != values(chinese[key])]


def test_keys_have_words() -> None:
    """Every key that the page or a module says stands in the tables."""
    said = set(re.findall(r'data-t(?:-label)?="([^"]+)"', INDEX))
    for module in FILES.glob("[!w]*.js"):
        said |= set(re.findall(r'"([a-z_]+(?:\.[a-z_]+)+)"', module.read_text(encoding="utf-8")))
    assert len(said) > 40
    fields = {"questions.text", "options.max_answer_length"}  # of the contract
    assert set() == said - set(table("en")) - fields
