"""The Open Inference Protocol over gRPC: its service stands beside our own, on the same servers."""
