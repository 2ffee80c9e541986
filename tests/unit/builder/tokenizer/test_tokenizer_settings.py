"""Settings of tokenizers: honoured, or refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from spanserve.builder import BuildError
from spanserve.builder.families import FAMILIES
from spanserve.builder.tokenizer import LoadedTokenizer, load_tokenizer
from tests.kit.families import make_family


def made(folder: Path, name: str = "bert", **config: object) -> Path:
    """The folder of a small checkpoint with a tokenizer_config.json."""
    make_family(folder / name, name)
    (folder / name / "tokenizer_config.json").write_text(json.dumps(config))
    return folder / name


def load(folder: Path, **options: Any) -> LoadedTokenizer:
    return load_tokenizer(folder, **{"lower_case": None, "vocab_size": 1 << 20, **options})


def tokens(folder: Path, text: str, **options: Any) -> list[str]:
    encoding = Tokenizer.from_str(load(folder, **options).text).encode(text, add_special_tokens=False)
    return list(encoding.tokens)


def fed(folder: Path, text: str, **options: Any) -> str:
    """What the vocabulary is fed."""
    found: str = Tokenizer.from_str(load(folder, **options).text).normalizer.normalize_str(text)
    return found


@pytest.mark.parametrize("with_json", [False, True], ids=["vocab.txt", "tokenizer.json"])
def test_accents(tmp_path: Path, with_json: bool) -> None:
    """Accents are kept or stripped as strip_accents says; --lower-case changes the case and nothing else."""
    folder = made(tmp_path, do_lower_case=True, strip_accents=False)
    if with_json:
        (folder / "tokenizer.json").write_text(load(folder).text)
    assert "café" == fed(folder, "Café")
    assert "café" == fed(folder, "Cafe\u0301")
    assert "café" == fed(folder, "Café", lower_case=True)
    assert "Café" == fed(folder, "Café", lower_case=False)
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False, "strip_accents": True}))
    assert "Cafe" == fed(folder, "Café")


def test_ideographs(tmp_path: Path) -> None:
    """Ideographs are set apart unless tokenize_chinese_chars is false."""
    assert " 桥  是 " == fed(made(tmp_path / "a"), "桥是")
    assert "桥是" == fed(made(tmp_path / "b", tokenize_chinese_chars=False), "桥是")


def test_without_basic_tokenizer(tmp_path: Path) -> None:
    """Without it words are parted by blanks only, and nothing is lowered."""
    folder = made(tmp_path, do_basic_tokenize=False, do_lower_case=False)
    assert ["the", "[UNK]"] == tokens(folder, "the The,")


def test_added_tokens(tmp_path: Path) -> None:
    """Tokens that were added before fine-tuning have their ids, in whichever file they stand."""
    folder = made(tmp_path, do_lower_case=True)
    size = len((folder / "vocab.txt").read_text().splitlines())
    added = {"[HDR]": size, "covid-19": size + 1}
    (folder / "added_tokens.json").write_text(json.dumps(added))
    assert ["[HDR]", "the", "covid-19"] == tokens(folder, "[HDR] THE covid-19")
    (folder / "added_tokens.json").unlink()
    decoder = {number: {"content": token, "special": True} for token, number in added.items()}
    config = {"do_lower_case": True, "added_tokens_decoder": decoder}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert ["[HDR]", "the", "covid-19"] == tokens(folder, "[HDR] THE covid-19")
    config = {"do_lower_case": True, "additional_special_tokens": ["<x>"]}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert ["the", "<x>"] == tokens(folder, "the<x>")
    with pytest.raises(BuildError, match=f"ids up to {size}"):
        load(folder, vocab_size=size)


def test_added_token_with_another_id(tmp_path: Path) -> None:
    """An id that leaves a gap behind the vocabulary cannot be given."""
    folder = made(tmp_path)
    (folder / "added_tokens.json").write_text(json.dumps({"[HDR]": 9999}))
    with pytest.raises(BuildError, match=r'"\[HDR\]" should have id 9999'):
        load(folder)


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "class": (
        "bert",
        {"tokenizer_class": "BertJapaneseTokenizer"},
        'tokenizer_class is "BertJapaneseTokenizer"',
    ),
    "mecab": ("bert", {"word_tokenizer_type": "mecab"}, 'word_tokenizer_type is "mecab"'),
    "never-split": ("bert", {"never_split": ["x"]}, "never_split is"),
    "unknown": ("bert", {"do_frobnicate": True}, "do_frobnicate is true: this setting is not known"),
    "left": ("roberta", {"padding_side": "left"}, 'padding_side is "left"'),
    "text": ("bert", {"do_lower_case": "yes"}, 'do_lower_case is "yes"'),
    "lowers": ("roberta", {"do_lower_case": True}, "keeps case; give --lower-case"),
    "sampling": ("xlm-roberta", {"sp_model_kwargs": {"enable_sampling": True}}, "sp_model_kwargs is"),
    "no-prefix": ("xlm-roberta", {"add_prefix_space": False}, "add_prefix_space is false"),
    "accents": ("roberta", {"strip_accents": True}, "strip_accents is true: this kind of tokenizer has no"),
    "code": ("bert", {"auto_map": {"AutoTokenizer": "x.Y"}}, "auto_map is"),
    "token": ("bert", {"cls_token": 7}, "cls_token is 7"),
}


@pytest.mark.parametrize(("name", "config", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(tmp_path: Path, name: str, config: dict[str, Any], message: str) -> None:
    """A setting that cannot be honoured is named with its value."""
    default = {"bert": "BertTokenizer", "roberta": "RobertaTokenizer", "xlm-roberta": "XLMRobertaTokenizer"}[
        name
    ]
    with pytest.raises(BuildError, match=message):
        load(made(tmp_path, name, **config), default=default)


def test_blank_in_front_of_a_question(tmp_path: Path) -> None:
    """add_prefix_space is honoured for questions."""
    folder = made(tmp_path, "roberta", add_prefix_space=True)
    assert ["Ġthe"] == tokens(folder, "the", default="RobertaTokenizer")


def test_another_class_than_the_family(tmp_path: Path) -> None:
    """A RoBERTa with BERT's tokenizer, as Korean ones are, puts pairs together as that tokenizer does."""
    folder = made(tmp_path, tokenizer_class="BertTokenizerFast")
    assert 5 == len(load(folder, default="RobertaTokenizer").info.template)


VALUES: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers(-1, 5)
    | st.text(max_size=4)
    | st.sampled_from([{}, ["a", 1]])
    | st.sampled_from(
        [
            2**70,
            -1e400,
            float("nan"),
            "\ud800",
            "a\nb",
            {"content": "\ud800"},
            {"5": {"content": "a"}},
            [[None]],
        ]
    )
)
NAMES = st.sampled_from(
    [
        *("do_lower_case", "strip_accents", "tokenize_chinese_chars", "do_basic_tokenize", "never_split"),
        *("tokenizer_class", "cls_token", "pad_token", "unk_token", "mask_token", "added_tokens_decoder"),
        *("additional_special_tokens", "extra_special_tokens", "add_prefix_space", "model_max_length", "zzz"),
    ]
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of small checkpoints, by the class of their tokenizer."""
    return {
        family.tokenizer: make_family(tmp_path_factory.mktemp("settings") / name, name)
        for name, family in FAMILIES.items()
    }


@given(default=st.sampled_from([family.tokenizer for family in FAMILIES.values()]), data=st.data())
def test_any_settings(folders: dict[str, Path], default: str, data: st.DataObject) -> None:
    """Whatever stands in the files ends in a tokenizer or in one line."""
    folder = folders[default]
    for name, content in (
        ("tokenizer_config.json", data.draw(st.dictionaries(NAMES, VALUES, max_size=3))),
        ("special_tokens_map.json", data.draw(st.dictionaries(NAMES, VALUES, max_size=2))),
        ("added_tokens.json", data.draw(st.dictionaries(st.text(max_size=4), VALUES, max_size=2))),
    ):
        (folder / name).write_text(json.dumps(content))
    message = "a tokenizer"
    try:
        load(folder, default=default)
    except BuildError as error:
        message = str(error)
    assert 1 == len(message.splitlines())
