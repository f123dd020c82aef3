"""Feasibility: which pod may go to which node, and if not, why, in kube-scheduler's own words.

One function per kube-scheduler filter plugin, vectorised over pod classes x nodes. Knows the nouns
of ``snapshot`` and numpy; knows no solver and no plan.
"""
