"""Benchmarks: run by `make bench`; the tests here ask only whether they measure what they say."""
