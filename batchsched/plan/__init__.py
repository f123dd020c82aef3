"""Plan: what was decided, checked by code that shares nothing with the model.

Knows snapshots and placements. Must not know the solver: the checker can never share the model's
bug.
"""
