"""How a question and a context are put together into one row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spanserve.bundle import SpecialToken, Text, TokenizerInfo

Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """Special tokens, the question, special tokens, the context, special tokens: [CLS] q [SEP] c [SEP]."""

    #: Ids of the special tokens, int32.
    before: Ints
    between: Ints
    behind: Ints
    #: Token types of these five stretches; one for all tokens of a text.
    types: tuple[Ints, ...]
    pad_id: int
    #: Columns by which the model marks every token of the context early; see `TokenizerInfo`.
    early: int

    @classmethod
    def of(cls, info: TokenizerInfo) -> Template:
        """The template of a bundle's tokenizer.

        Raises:
            ValueError: it does not have one question and after it one context, each between special tokens.
        """
        texts = [part for part in info.template if isinstance(part, Text)]
        if [part.text for part in texts] != ["question", "context"]:
            raise ValueError("its template is not a question followed by a context, the only one known here")
        asked, told = (info.template.index(part) for part in texts)
        stretches = (info.template[:asked], info.template[asked + 1 : told], info.template[told + 1 :])
        if not all(stretches):
            raise ValueError(
                "its template has no special token before, between or after question and context"
            )
        special = [[part for part in stretch if isinstance(part, SpecialToken)] for stretch in stretches]
        before, between, behind = (np.array([part.id for part in stretch], np.int32) for stretch in special)
        first, second, third = (np.array([part.type for part in stretch], np.int32) for stretch in special)
        asks, tells = (np.full(1, part.type, np.int32) for part in texts)
        types = (first, asks, second, tells, third)
        return cls(before, between, behind, types, info.pad_id, info.early)

    @property
    def special_tokens(self) -> int:
        """Tokens of a row that are neither question nor context."""
        return len(self.before) + len(self.between) + len(self.behind)

    def context_column(self, question_tokens: int) -> int:
        """Column of the first context token."""
        return len(self.before) + question_tokens + len(self.between)
