"""What if: a snapshot edited, solved beside the one that is, and compared with it.

Pure: files and the command line are the shell's. It uses ``schedule`` as anybody would, and so
inherits its proofs: an answer here is the difference of two verified plans.
"""
