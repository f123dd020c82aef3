"""The summary on a terminal: what gives way where it is narrow."""

import io

import pytest
from rich.console import Console

from batchsched.cli.summary import nodes_table
from batchsched.plan.plan import Binding, Plan

NODE = "ip-10-0-128-77.eu-west-1.compute.internal"


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_pods_are_cut_and_nodes_are_not(columns: int) -> None:
    names = [f"{'p' * 50}-{i:02}" for i in range(12)]
    bindings = [Binding(namespace="batch", name=name, uid="", node=NODE) for name in names]
    console = Console(width=columns, file=io.StringIO(), record=True)
    console.print(nodes_table(Plan(status="Optimal", bindings=tuple(bindings))))
    header, row = console.export_text().splitlines()
    assert header.split() == ["node", "gets", "pods"]
    assert row.startswith(f"{NODE}    12  ba")
    assert row.rstrip().endswith("…")
