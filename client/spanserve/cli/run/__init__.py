"""`spanserve run`: a checkpoint becomes a bundle, is served, and is scored on a data set, by one command.

command   options, and what is printed
recipe    what is built, by a digest of all that goes into it
grid      batches x precisions, each timed and scored
published what the public sample says
"""
