"""A random mix: instances of every kind and of mixed size, to look for what must never happen.

Half of them are small clusters where every rule of Kubernetes may be met, as the tests have them;
the others are the benchmarks' own kinds at sizes up to a few hundred nodes.
"""

from collections.abc import Callable
from random import Random

from batchsched.snapshot.snapshot import Snapshot
from tests.benchmarks.instances.backlog import backlog
from tests.benchmarks.instances.distinct import distinct
from tests.benchmarks.instances.rules_at_scale import NAMES, rule_at_scale
from tests.benchmarks.instances.small_windows import small_window
from tests.strategies import Size, random_cluster, snapshot_of

TIME_LIMIT_S = (0.05, 5.0)


def time_limit_s(seed: int) -> float:
    """The time limit of an instance: any order of magnitude is as likely."""
    low, high = TIME_LIMIT_S
    return round(float(low * (high / low) ** Random(seed).random()), 3)


def random_instance(seed: int) -> Snapshot:
    """One instance; its kind and its size come from the seed."""
    random = Random(seed)
    random.random()
    return KINDS[seed % len(KINDS)](random, seed)


def _every_rule(random: Random, _: int) -> Snapshot:
    nodes = random.choice([3, 10, 30])
    size = Size(nodes, pending_max=random.choice([10, 3 * nodes]), running_max=3 * nodes)
    return snapshot_of(random_cluster(random, size))


def _backlog(random: Random, seed: int) -> Snapshot:
    nodes = random.choice([20, 50, 100, 300])
    classes, coarse = random.choice([5, 20, 60]), random.choice([1, 3])
    return backlog(nodes, 4 * nodes, classes, coarse=coarse, seed=seed)


def _distinct(random: Random, seed: int) -> Snapshot:
    nodes = random.choice([10, 30, 60])
    return distinct(nodes, 4 * nodes, seed=seed)


def _rule(random: Random, seed: int) -> Snapshot:
    nodes = random.choice([40, 120, 240])
    return rule_at_scale(random.choice(NAMES), nodes, random.choice([100, 400]), seed=seed)


def _small_window(random: Random, seed: int) -> Snapshot:
    load = random.choice([0.0, 0.5, 0.8])
    return small_window(random.choice([50, 200]), random.choice([10, 50]), load, seed=seed)


KINDS: tuple[Callable[[Random, int], Snapshot], ...] = (
    _every_rule,
    _backlog,
    _every_rule,
    _distinct,
    _every_rule,
    _rule,
    _every_rule,
    _small_window,
)
