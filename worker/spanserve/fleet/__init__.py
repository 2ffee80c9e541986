"""The supervisor `spanserve up`: one worker process per device, kept alive, drained and renewed together.

command -> fleet -> member (a device) -> watch -> child (one life of its worker process)
              |-> rollout (SIGHUP), health (gRPC), pages (metrics, /readyz)

Workers report their state over a socket each (sd_notify), and show their metrics on another; both lie in a
folder that only this user can enter, and that goes with the supervisor.
"""
