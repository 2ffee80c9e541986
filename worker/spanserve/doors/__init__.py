"""The ways in: each takes tasks by a protocol of its own and brings their results back."""
