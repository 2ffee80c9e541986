"""The worker: one process per device that answers tasks from its doors.

service (gRPC) -> engine: features -> backlog -> batcher -> device -> answers -> service
"""
