"""Load on workers: questions in a closed loop, or as they come in an open one, and how long each took.

questions --Generator--> transport --Samples--> Level; a Sweep goes from level to level
"""
