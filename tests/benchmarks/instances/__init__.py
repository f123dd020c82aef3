"""Instances: the clusters that the benchmarks speak of, each drawn from a seed.

A generator is a function of sizes and a seed; the same arguments give the same snapshot, to the
byte of its export. They know nothing of what is measured on them.
"""
