"""The loop over the port: gangs, victims and restarts come out the same in both worlds."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from batchsched.cycle import Announce, Binding, Cycle, Timing
from batchsched.daemon.loop import Loop, Ports
from batchsched.daemon.ports import BindWrite, Solved, WindowRecord
from batchsched.daemon.solving import Effort, Solver, Terms
from batchsched.profile import Profile, constraints_of
from batchsched.snapshot.allowance import NOTHING, Allowance
from batchsched.snapshot.snapshot import Snapshot, Window
from tests.contract.worlds import OURS, World, gang, pod, refusals, seen

TIMING = Timing(window_idle_s=0.1, window_max_s=0.5, backoff_first_s=0.2, backoff_max_s=0.2)


class SolvesAtOnce:
    """A planner that has solved a window before it is asked whether it has."""

    def __init__(self, allowance: Allowance) -> None:
        self._solver = Solver({OURS: Terms(Profile(), allowance)}, Effort(2.0, workers=1))
        self._done: list[Solved] = []

    def start(self, window: int, profile: str, snapshot: Snapshot, pods: Window) -> None:
        self._done.append(Solved(window, self._solver.solve(profile, snapshot, pods)))

    def finished(self) -> Sequence[Solved]:
        done, self._done = self._done, []
        return done


class Silent:
    """A recorder that tells nobody; a solve that fails is a defect."""

    def announce(self, event: Announce) -> None:
        pass

    def record(self, window: WindowRecord, snapshot: Snapshot, pods: Window) -> None:
        assert not window.failure

    def dump(self, window: int, snapshot: Snapshot, pods: Window, reason: str) -> None:
        raise AssertionError(reason)


def process(world: World, allowance: Allowance = NOTHING) -> Callable[[], None]:
    """A scheduler that has read the cluster, as the function that turns it."""
    rules = constraints_of(Profile())
    ports = Ports(world.cluster, world.clock, SolvesAtOnce(allowance), Silent(), lambda _: rules)
    loop = Loop(Cycle(TIMING, profiles=(OURS,)), ports, (OURS,))
    loop.start()
    return loop.step


def node_of(world: World, made: Binding) -> str | None:
    found = world.truth(made.pod)
    return found.node if found is not None else None


def bound(world: World, pods: Sequence[Binding]) -> list[bool]:
    return [node_of(world, each) is not None for each in pods]


def test_a_gang_is_bound_whole_or_not_at_all(world: World) -> None:
    for name in ("n1", "n2"):
        world.add_node(name)
    members = [world.add(each) for each in gang("g", 3, "3")]
    single = world.add(pod("single"))
    seen(world, [*members, single])
    turn = process(world)
    world.wait(lambda: all(bound(world, [single])), turn)
    assert bound(world, members) == [False, False, False]
    world.add_node("n3")
    world.wait(lambda: all(bound(world, members)), turn)


def test_a_gang_that_was_half_started_comes_before_all_others(world: World) -> None:
    world.add_node("n1", "3")
    singles = [world.add(pod(f"a{i}")) for i in range(3)]
    members = [world.add(each) for each in gang("g", 3)]
    seen(world, [*singles, *members])
    assert refusals(world, BindWrite(replace(members[0], node="n1"))) == [None]
    world.restart()
    turn = process(world)
    world.wait(lambda: all(bound(world, members)), turn)
    assert bound(world, singles) == [False, False, False]


def test_who_preempts_is_bound_when_its_victim_has_left(world: World) -> None:
    world.add_node("n1", "2")
    victim = world.add(pod("victim", "2"))
    seen(world, [victim])
    turn = process(world, Allowance(preemption=True))
    world.wait(lambda: all(bound(world, [victim])), turn)
    urgent = world.add(pod("urgent", "2", high=True))
    kept = []

    def waits_for_it() -> None:
        turn()
        # In this order: the victim may leave in between, and never comes back.
        here, there = world.truth(urgent.pod), world.truth(victim.pod)
        assert here is not None
        assert here.node is None or there is None
        kept.append(here.nominated)

    world.wait(lambda: all(bound(world, [urgent])), waits_for_it)
    assert "n1" in kept, "its node was kept meanwhile"


def test_a_process_that_comes_after_leaves_what_is_bound_where_it_is(world: World) -> None:
    for name in ("n1", "n2"):
        world.add_node(name, "8")
    pods = [world.add(each) for i in range(3) for each in gang(f"g{i}", 4)]
    seen(world, pods)
    turn = process(world)
    world.wait(lambda: any(bound(world, pods)), turn)
    before = {each.pod: node_of(world, each) for each in pods}
    world.restart()  # nothing is asked of the first process any more
    world.wait(lambda: all(bound(world, pods)), process(world))
    after = {each.pod: node_of(world, each) for each in pods}
    assert {key: node for key, node in before.items() if node}.items() <= after.items()


def test_a_process_that_comes_after_goes_on_waiting_for_victims(world: World) -> None:
    world.add_node("n1", "2")
    victim = world.add(pod("victim", "2"))
    seen(world, [victim])
    turn = process(world, Allowance(preemption=True))
    world.wait(lambda: all(bound(world, [victim])), turn)
    urgent = world.add(pod("urgent", "2", high=True))

    def leaves() -> bool:
        found = world.truth(victim.pod)
        return found is None or found.deleting

    world.wait(leaves, turn)
    world.restart()
    turn = process(world, Allowance(preemption=True))
    world.wait(lambda: all(bound(world, [urgent])), turn)
