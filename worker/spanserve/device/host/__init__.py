"""The device host: a small program of its own that runs batches on one device.

It runs under the Python of the device's SDK, 3.7 for MagicMind, so it uses the standard library, numpy and
the SDK only, in a form that Python 3.7 and numpy 1.21 accept; of this project it imports `spanserve.device.sdk` only.
`__main__` is started by path. The worker's side of the same memory and messages is `spanserve.device`.
"""
