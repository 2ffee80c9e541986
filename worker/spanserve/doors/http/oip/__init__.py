"""The Open Inference Protocol over HTTP: `/v2` and below, beside our own paths."""
