"""The scene that a problem was compiled from, for rules that ask its storage again."""

from batchsched.feasibility.problem import Problem
from batchsched.feasibility.scene import Scene
from batchsched.feasibility.storage import Storage


def scene_of(problem: Problem) -> Scene:
    """The scene of a problem; indexes storage anew."""
    return Scene(
        snapshot=problem.snapshot,
        nodes=problem.nodes,
        classes=problem.classes,
        fixed=problem.fixed,
        fixed_node=problem.fixed_node,
        topology=problem.topology,
        selections=problem.selections,
        storage=Storage(problem.snapshot),
    )
