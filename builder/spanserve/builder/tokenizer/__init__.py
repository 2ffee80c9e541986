"""The tokenizer of a checkpoint: its files and settings, honoured or refused."""

from spanserve.builder.tokenizer.load import LoadedTokenizer, load_tokenizer

__all__ = ["LoadedTokenizer", "load_tokenizer"]
