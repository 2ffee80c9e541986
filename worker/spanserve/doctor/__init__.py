"""`spanserve doctor`: can this machine serve, and if not, what to do?

processor, runtime, bundle      what every device needs
redis                           if tasks come from a queue
cards, cnmon, exporter, sdk     if the device is an MLU card

Every check looks and judges by itself and never raises: what it finds is a `Finding`. The root of the file system,
the programs that are run and the environment are arguments, so that tests can invent machines.
"""
