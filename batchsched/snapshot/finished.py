"""Members that did their work: a gang needs so many fewer of the others.

The minimum is there so that members start together. Who succeeded has started, and its successor or
that of a lost member needs nobody to wait for. This is the one place that counts them: it lowers
the minimum of the group, and everybody else compares that with who is there. Does not know groups.
"""

from collections.abc import Sequence

from batchsched.snapshot.pod import Pod


def finished(members: Sequence[Pod], least: int) -> list[Pod]:
    """The members that succeeded in this run of a gang.

    Not those of an earlier run that had the same name (a CronJob's of yesterday): nobody who has
    not ended has the controller that they had. Of pods without one, so many that a whole run is
    done are an earlier run.

    Args:
        members: All pods of the gang.
        least: Its minimum.
    """
    at_work = {pod.owner for pod in members if not pod.terminal}
    found = [
        pod
        for pod in members
        if pod.phase == "Succeeded" and not pod.deleting and pod.owner in at_work
    ]
    alone = sum(pod.owner is None for pod in found)
    return found if alone < least else [pod for pod in found if pod.owner is not None]
