"""What was found out, as people and scripts read it: the border, so pydantic, camelCase keys."""

from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from batchsched.plan.plan import API_VERSION

Status = Literal["Placed", "Unplaced", "Unknown"]


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True, populate_by_name=True)


class SaidFact(_Part):
    """A fact: the plugin or ``Gang``, what of it, the sentence, and whom it concerns."""

    rule: str
    kind: str
    message: str
    nodes: tuple[str, ...] = ()
    """Those that would take one of the pods if this were the only rule."""
    pods: tuple[str, ...] = ()


class SaidRemedy(_Part):
    """Something that helps; each was decided on, and placed by a verified plan."""

    kind: str
    message: str


class Alternative(_Part):
    """Another node, and what the plan would be worth if the pod went there."""

    node: str
    message: str


class Explanation(_Part):
    """Why a pod or a group is where it is, or nowhere.

    ``proven``: each fact is necessary and together they are sufficient, both decided on anew.
    """

    api_version: str = API_VERSION
    kind: Literal["Explanation"] = "Explanation"
    subject: str
    status: Status
    proven: bool
    message: str
    pods: tuple[str, ...] = ()
    facts: tuple[SaidFact, ...] = ()
    remedies: tuple[SaidRemedy, ...] = ()
    """Cheapest first."""
    all_remedies: bool = False
    """Whether there was time to look for all."""
    alternatives: tuple[Alternative, ...] = ()
    """Of a pod that is placed, the next best first."""
    all_alternatives: bool = False
    """Whether no other node than these would take it."""

    def to_json(self) -> bytes:
        """Keys in the order above, two spaces, a newline at the end."""
        content = self.model_dump(by_alias=True)
        return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
