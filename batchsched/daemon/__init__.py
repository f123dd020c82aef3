"""The daemon: the shell around the pure core. It performs what the cycle says, on any cluster.

It knows ports (``ports``), never an API client: the live cluster and the simulator are two adapters
of the same ports, so what the simulator proves holds for the loop that runs in production.
"""
