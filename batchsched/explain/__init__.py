"""Explain: the smallest set of facts that keeps pods from being placed, and what would help.

Works on snapshots alone. A fact is what can be dropped from a snapshot to give another one, so
every sentence is proven by deciding again on a changed cluster, by the same ``schedule`` whose
plans are bound. Knows no model and no solver: what it says cannot rest on how it was computed.
"""
