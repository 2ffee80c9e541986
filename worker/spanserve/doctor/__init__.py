"""`spanserve doctor`: can this machine serve, and if not, what is to be done?

processor, runtime, bundle      what every device needs
redis                           if tasks come from a queue
cards, cnmon, exporter, sdk     if the device is an MLU card

Every check looks and judges by itself and never raises: what it finds is a `Finding`. Where the file system begins,
which programs are run and what the environment holds are arguments, so that tests make up their machines.
"""
