"""Planning: how many cards a rate of questions needs, found by running the worker's own code in virtual time.

load (arrivals, windows) --> Fleet --least loaded--> PlannedCard (credit, batcher, lanes) --> Figures
"""
