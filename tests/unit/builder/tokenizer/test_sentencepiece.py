"""SentencePiece models of any making. Expected is what the slow tokenizers of transformers 4.46 made of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer
from transformers.utils import sentencepiece_model_pb2_new as sentencepiece

from spanserve.builder import BuildError
from spanserve.builder.tokenizer import load_tokenizer

UNKNOWN, CONTROL, NORMAL, USER_DEFINED = 2, 3, 1, 4
ALBERT = {
    "<pad>": CONTROL,
    "<unk>": UNKNOWN,
    "[CLS]": CONTROL,
    "[SEP]": CONTROL,
    "[MASK]": CONTROL,
    "(": USER_DEFINED,
    '"': USER_DEFINED,
}
XLM_R = {"<unk>": UNKNOWN, "<s>": CONTROL, "</s>": CONTROL}
#: The later, the worse.
PIECES = ("▁a", "ab", "▁ab", "abab", "▁", "a", "b", "5,", "5", ",", "में", "म", "े", "ं", "e", "é")


def tokens(
    folder: Path, special: dict[str, int], text: str, pieces: tuple[str, ...] = PIECES, kind: int = 1
) -> list[str]:
    """What a model makes of a text: 1 is unigram, 2 BPE."""
    model = sentencepiece.ModelProto()
    model.trainer_spec.model_type = kind
    model.trainer_spec.unk_id = list(special).index("<unk>")
    for piece, role in special.items():
        model.pieces.add(piece=piece, score=0.0, type=role)
    for number, piece in enumerate(pieces):
        model.pieces.add(piece=piece, score=-1.0 - number, type=NORMAL)
    name, default = (
        ("spiece.model", "Albert") if special is ALBERT else ("sentencepiece.bpe.model", "XLMRoberta")
    )
    (folder / name).write_bytes(model.SerializeToString())
    loaded = load_tokenizer(folder, lower_case=None, vocab_size=100, default=f"{default}Tokenizer")
    return list(Tokenizer.from_str(loaded.text).encode(text, add_special_tokens=False).tokens)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a (ab", ["▁a", "▁", "(", "ab"]),
        ('"a"b" "', ["▁", '"', "a", '"', "b", '"', "▁", '"']),
        ("5, 5", ["▁", "5", ",", "▁", "5"]),
        ("E\u0301 é में", ["▁", "e", "▁", "e", "▁", "में"]),
        ("a  a ", ["▁a", "▁a"]),
    ],
)
def test_albert(tmp_path: Path, text: str, expected: list[str]) -> None:
    """Symbols that the trainer was told of part no words, accents go, vowels stay, blanks at the end are nothing."""
    assert expected == tokens(tmp_path, ALBERT, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("abab", ["▁ab", "ab"]),
        ("babab ab", ["▁", "b", "abab", "▁ab"]),
        ("a ", ["▁a"]),
        ("xxa", ["▁", "<unk>", "a"]),
    ],
)
def test_bpe(tmp_path: Path, text: str, expected: list[str]) -> None:
    """Pieces are merged, the best pair first, whatever a better sum of scores would be."""
    assert expected == tokens(tmp_path, XLM_R, text, kind=2)


@pytest.mark.parametrize(
    ("special", "kind", "message"),
    [
        (XLM_R, 3, "model_type is 3, only 1"),
        (ALBERT, 2, "a BPE model with pieces such as '5,'"),
        ({**XLM_R, "<sep>": USER_DEFINED}, 2, "the symbol '<sep>' of several characters"),
    ],
)
def test_refused(tmp_path: Path, special: dict[str, int], kind: int, message: str) -> None:
    """What would be fed otherwise than the checkpoint was trained is named, with its file."""
    with pytest.raises(BuildError, match=rf"\.model: .*{message}"):
        tokens(tmp_path, special, "a", kind=kind)
