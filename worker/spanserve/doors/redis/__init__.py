"""The Redis door: tasks from a queue through the same engine as those from gRPC.

reader ──claim──▶ engine ──result──▶ finisher ──end──▶ Redis
   │                                    │
   └────────── held ◀── leases ─────────┘      (a thread that renews, whatever the loop does)
"""
