"""What device host and compile step both need to know of the SDK.

Both load it beside themselves under the Python of the SDK, so what holds for them holds here: Python 3.7, numpy
1.21, the standard library, and nothing else of this project.
"""
