"""A page: one file of HTML that asks nobody for anything. How it looks is the templates'.

A policy in the page itself forbids whatever is not in the file, and the one script that may run is
named by its hash: what a pod is called can neither run nor fetch anything.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from batchsched import __version__
from batchsched.report import charts
from batchsched.report.clustermap import Block, ClusterMap, blocks, labels_of
from batchsched.sim.durations import written


@dataclass(frozen=True)
class Scene:
    """A map, as templates ask for it."""

    json: Markup
    nodes: int
    runs: Sequence[str]
    states: Sequence[str]
    resources: Sequence[str]
    gangs: Sequence[str]
    blocks: Sequence[Block]


def scene_of(cluster: ClusterMap) -> Scene:
    """What a page needs of a map."""
    return Scene(
        json=Markup(cluster.to_json()),  # noqa: S704 -- JSON in which no "<" is left
        nodes=len(cluster.nodes),
        runs=[run.name for run in cluster.runs],
        states=cluster.runs[0].states,
        resources=labels_of(cluster.resources),
        gangs=cluster.gangs,
        blocks=blocks(cluster),
    )


def render(template: str, **values: object) -> str:
    """The page: a template with the style sheet, and the script where there is a map."""
    loader = PackageLoader("batchsched.report")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": written, "percent": percent, "count": lambda n: f"{n:,}"}
    environment.globals |= {"share_bar": charts.share_bar}
    style, script = (loader.get_source(environment, name)[0] for name in ("style.css", "map.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template(template).render(
        version=__version__,
        style=Markup(style),  # noqa: S704 -- ours
        script=Markup(script),  # noqa: S704 -- ours
        script_sha=f"sha256-{digest}",
        **values,
    )


def percent(share: float | None, digits: int = 1) -> str:
    """A share for people; what is not quite nothing is not shown as nothing."""
    if share is None or share != share:  # noqa: PLR0124 -- not a number
        return "–"
    if 0 < share < 0.5 * 10 ** -(digits + 2):
        return f"< {10**-digits:.{digits}f} %"
    return f"{100 * share:.{digits}f} %"
