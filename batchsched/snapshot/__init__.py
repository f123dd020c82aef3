"""Snapshot: the nouns of a cluster at one instant, and how they are read.

Knows Kubernetes words and nothing else: no solver, no numpy, no clock, no file. Everything here is
immutable and hashable by value where the model needs it, with sorted tuples instead of sets, so
that the same cluster is always the same input.
"""
