"""The HTTP door: an answer, a stream of them, the worker's state, and a page for people."""
