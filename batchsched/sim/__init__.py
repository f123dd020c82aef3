"""The simulator: an embedded cluster behind the ports of ``daemon``, in virtual time.

The same cycle and the same loop as in production run on it. It knows parsed objects and bytes,
never a file of the command line; it may draw random numbers, from generators made of a seed.
"""
