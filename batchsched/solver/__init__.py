"""Solver: one linear integer model, two solvers. The only package that speaks to OR-Tools.

Knows arrays: columns with bounds, rows with bounds, tiers with coefficients. Knows nothing of what
a rule means; rules write their rows from ``constraints`` and ``objectives``.
"""
