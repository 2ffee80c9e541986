"""The Open Inference Protocol over gRPC: its service stands next to our own, on the same servers."""
