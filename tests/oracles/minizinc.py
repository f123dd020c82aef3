"""The bridge to the reference model: what MiniZinc proves of a cluster, tier by tier.

The rules and what a tier counts are in models/placement/placement.mzn; the order of the tiers, and
how long each is held, is that of its FORMULATION.md, section 3.
"""

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchsched.snapshot.allowance import NOTHING, Allowance
from tests.oracles.cluster import Cluster, Key, Places
from tests.oracles.dzn import written
from tests.oracles.evicting import Scene
from tests.oracles.numbered import Data

MODEL = Path(__file__).resolve().parents[2] / "models" / "placement" / "placement.mzn"
NEVER_LESS = -(10**6)
DIGITS_MAX = 10**7
"""The largest number that several measures are made one of: the solver's are small."""


@dataclass(frozen=True)
class Answer:
    """What MiniZinc proved optimal: the tiers in their order, and a plan that has them."""

    tiers: dict[str, int]
    places: Places
    leaving: dict[Key, str | None]


@dataclass
class Measures:
    """Where the tiers stand: what is held of each measure, and until when."""

    data: Data
    fields: dict[str, Any]
    held: list[int]
    answer: list[int]
    at: list[int]

    def raise_together(self, names: list[int], most: int) -> None:
        """Make measures as large as can be, one after the other, several at once while they fit."""
        while names:
            now = [names.pop(0)]
            while names and (most + 1) ** (len(now) + 1) < DIGITS_MAX:
                now.append(names.pop(0))
            weight = [0] * len(self.held)
            for i, name in enumerate(reversed(now)):
                weight[name] = (most + 1) ** i
            self.run(weight)
            for name in now:
                self.held[name] = self.answer[name]

    def run(self, weight: list[int]) -> None:
        """Ask for the largest sum."""
        fields = self.fields | {"weight": weight, "held": self.held}
        self.answer, self.at = _run(fields)


def available() -> bool:
    """Whether MiniZinc is installed."""
    return shutil.which("minizinc") is not None


def solve(
    cluster: Cluster, packing: str = "fewest-nodes", allowance: Allowance = NOTHING
) -> Answer:
    """The optimum of every tier."""
    data = Data(Scene(cluster.snapshot, allowance))
    count, most = len(data.priorities), len(data.pods)
    first = 3 * count
    fields = data.fields() | {"packing": packing}
    asked = Measures(data, fields, [NEVER_LESS] * (first + 5), [], [])
    if data.cluster.window.pods and data.free:
        for i in range(count):
            _raise_priority(asked, i, count, most)
        asked.raise_together([first, first + 1, first + 2], most)
    else:
        asked.raise_together([2 * count + i for i in range(count)], most)
    weight = [0] * (first + 5)
    weight[first + 3], weight[first + 4] = 10**6, 1
    asked.run(weight)
    return _answer(asked, packing, allowance)


def _raise_priority(asked: Measures, i: int, count: int, most: int) -> None:
    """The tier of a priority with its stages (section O1): some are held only until it is done."""
    data, placed = asked.data, 2 * count + i
    asked.raise_together([i], most)
    window = data.cluster.window.pods
    mild = [p for p in window if p.spec.preemption_never]
    weak = {data.scene.pods[key].spec.priority for key in data.free if data.scene.may_go[key][0]}
    lower = [j for j in range(i + 1, count) if data.priorities[j] in weak]
    if not lower or all(p.spec.priority != data.priorities[i] for p in mild):
        asked.raise_together([placed], most)
        return
    asked.raise_together([count + i], most)
    before = list(asked.held)
    asked.raise_together([*lower, placed], most)
    before[placed] = asked.held[placed]
    asked.held = before


def _answer(asked: Measures, packing: str, allowance: Allowance) -> Answer:
    data, values = asked.data, asked.answer
    count = len(data.priorities)
    placed = values[2 * count : 3 * count]
    *disrupted, preferences, packed = values[3 * count :]
    tiers = {f"placed/priority={p}": v for p, v in zip(data.priorities, placed, strict=True)}
    names = ["disruption/budgets", "disruption", "disruption/gangs"]
    shown = names if allowance.preemption else names[:2] if allowance else names[1:2]
    tiers |= {name: -v for name, v in zip(names, disrupted, strict=True) if name in shown}
    tiers |= {
        "preferences": preferences,
        f"packing/{packing}": packed if packing == "least-fragmentation" else abs(packed),
    }
    names_of = [node.name for node in data.nodes]
    new = zip(data.new, asked.at, strict=False)
    came = {pod.key: names_of[n - 1] for pod, n in new if n}
    gone = [s.pod.key for i, s in data.held() if s.pod.key in data.free and not asked.at[i - 1]]
    back = {pod.key for pod in data.back}
    places = {key: node for key, node in came.items() if key not in back}
    return Answer(tiers, places, {key: came.get(key) for key in gone})


def _run(fields: dict[str, Any]) -> tuple[list[int], list[int]]:
    """The measures, and the place of each pod."""
    text = "".join(f"{name} = {written(value)};\n" for name, value in fields.items())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cluster.dzn"
        path.write_text(text, encoding="utf-8")
        done = subprocess.run(
            ["minizinc", "--solver", "gecode", str(MODEL), str(path)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    if "==========" not in done.stdout:
        raise AssertionError(f"MiniZinc has no answer\n{done.stderr}\n{done.stdout}\n{text}")
    measures, at = done.stdout.splitlines()[:2]
    return json.loads(measures), json.loads(at)
