"""The engine: what keeps a device busy and settles every question once, whatever the questions are.

submit -> encode -> backlog -> batcher -> device -> decode -> finished
"""
