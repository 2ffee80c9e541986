"""What device host and compile step both need to know of the SDK.

Both load it as a second package under the Python of the SDK, so the same rules hold here: Python 3.7, numpy
1.21, the standard library, and nothing else of this project.
"""
