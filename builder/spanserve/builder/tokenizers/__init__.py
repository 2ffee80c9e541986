"""The tokenizer of a checkpoint: its files and settings, honoured or refused."""

from spanserve.builder.tokenizers.load import LoadedTokenizer, load_tokenizer

__all__ = ["LoadedTokenizer", "load_tokenizer"]
