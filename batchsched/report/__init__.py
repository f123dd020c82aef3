"""The report: tables for scripts and a page for people, of a plan or of a simulation.

It reads what others left behind and decides nothing. The page is one file that needs nothing else,
in light and in dark, on a desk and on a phone.
"""
