"""What the builder has to know of a model family; each is a module next to this one, of data as far as possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from spanserve.builder.errors import BuildError
from spanserve.bundle import Tensor
from spanserve.bundle.manifest import ATTENTION_MASK, INPUT_IDS, TOKEN_TYPE_IDS

#: Called with a checkpoint's model, gives the same network in operators that MagicMind's parsers take.
Plain = Callable[[Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A kind of encoder with a span head."""

    #: As config.json names it.
    model_type: str
    #: For people.
    name: str
    #: Classes of transformers: its configuration, and the model with a span head.
    config: type[Any]
    model: type[Any]
    #: In front of the names of the body's tensors: "bert.".
    body: str
    #: Class of its tokenizer, unless the checkpoint names another.
    tokenizer: str
    #: Whether its graph takes token types.
    types: bool
    #: Names of sizes in config.json where they are not BERT's.
    fields: Mapping[str, str] = field(default_factory=dict)
    #: Settings that change the network, and the values that this family is built with.
    fixed: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    #: Positions in front of the first token's: where padding has one of its own.
    first_position: Callable[[Any], int] = lambda config: 0
    #: None: `not_plain` says why it cannot go to MagicMind.
    plain: Plain | None = None
    not_plain: str = ""

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What its graph takes, in its order."""
        names = (INPUT_IDS, ATTENTION_MASK, *((TOKEN_TYPE_IDS,) if self.types else ()))
        return tuple(Tensor(name=name, dtype="int32") for name in names)

    def to_plain(self, model: Any) -> Any:
        """The network of a checkpoint's model in operators that MagicMind's parsers are known to take.

        Raises:
            BuildError: this family, or this variant of it, has no such form.
        """
        if self.plain is None:
            raise BuildError(f"{self.name} cannot be built for MagicMind: {self.not_plain}")
        return self.plain(model)

    def field(self, name: str) -> str:
        """What config.json calls a size."""
        return self.fields.get(name, name)


#: Settings that every family here has at these values only.
NEVER: dict[str, tuple[Any, ...]] = {
    "position_embedding_type": ("absolute", None),
    "is_decoder": (False, None),
    "add_cross_attention": (False, None),
    "is_encoder_decoder": (False, None),
    "chunk_size_feed_forward": (0, None),
    "pruned_heads": ({}, None),
    "quantization_config": (None,),
    "auto_map": (None, {}),
    "adapters": (None, {}),
}


def after_padding(config: Any) -> int:
    """Padding has a position of its own, and the first token the one after it."""
    return int(config.pad_token_id) + 1
