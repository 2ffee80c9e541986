"""From a checkpoint to a bundle that a worker can trust.

    checkpoint --export--> ONNX --target.compile--> graph --verify, goldens, profile--> bundle
    tokenizer  --------------------------------------------------------------------------^

`build` does it all. What differs between kinds of device is one module each in `targets`.
"""

from spanserve.builder.errors import BuildError

__all__ = ["BuildError"]
