"""The Open Inference Protocol over HTTP: `/v2` and below, next to our own paths."""
