"""Windows as they go: one readable line each, in 80 columns; and how the policies compare."""

from collections.abc import Sequence
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from batchsched.daemon.ports import WindowRecord
from batchsched.sim.durations import written
from batchsched.sim.meter import Usage
from batchsched.sim.outcome import Outcome, gap
from batchsched.sim.scenario import Scenario
from batchsched.sim.simulation import Simulation

BAR = 10
HEAD = f"{'window':>6} {'time':>9} {'pods':>6} {'placed':>6} {'waiting':>7} {'gap':>6} {'solve':>7}"


class WindowPrinter:
    """Prints the windows of one run.

    Args:
        console: Where to.
        scenario: For the date and the end.
        policy: Whose run.
        aloud: A line for each window; else only how far it is, and only on a terminal.
    """

    def __init__(self, console: Console, scenario: Scenario, policy: str, *, aloud: bool) -> None:
        """Print nothing yet."""
        self._console, self._scenario, self._policy = console, scenario, policy
        self._aloud = aloud
        self._progress: Progress | None = None
        self._has_gpus = any(
            "gpu" in resource for node in scenario.base.nodes for resource, _ in node.allocatable
        )

    def start(self) -> None:
        """Say what is run."""
        nodes = len(self._scenario.base.nodes)
        if self._aloud:
            long = written(self._scenario.duration_s)
            self._console.print(
                f"[bold]{self._scenario.name}[/]: {nodes:,} nodes, {long}, policy {self._policy}"
            )
            busy = "GPUs in use" if self._has_gpus else "CPU in use"
            self._console.print(f"{HEAD}  {busy}", style="dim")
            return
        if self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
            self._progress = Progress(*columns, console=self._console, transient=True)
            self._progress.add_task(f"policy {self._policy}", total=self._scenario.duration_s)
            self._progress.start()

    def stop(self) -> None:
        """Leave nothing on the terminal that moves."""
        if self._progress is not None:
            self._progress.stop()

    def window(self, window: WindowRecord, run: Simulation, solve_s: float) -> None:
        """Print a window that is over."""
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], completed=window.closed_s)
        if self._aloud:
            self._console.print(self._line(window, run.meter.samples[-1], solve_s))

    def _line(self, window: WindowRecord, usage: Usage, solve_s: float) -> Text:
        moment = self._scenario.start + timedelta(seconds=window.closed_s)
        line = Text(f"{window.window:>6} {moment:%H:%M:%S} ".rjust(17))
        line.append(f"{window.pods:>6} ")
        line.append(f"{window.bound:>6} ", style="green" if window.bound else "dim")
        line.append(f"{window.waiting:>7} ", style="yellow" if window.waiting else "dim")
        line.append(f"{_gap(window):>6} ")
        line.append(f"{solve_s:>6.2f}s  ", style="dim")
        if window.failure:
            return line.append(window.failure, style="red")
        return line.append_text(_bar(usage.gpu if self._has_gpus else usage.cpu))


def _gap(window: WindowRecord) -> str:
    found = gap(window)
    return "–" if found is None else f"{100 * found:.1f} %"


def _bar(share: float) -> Text:
    """A bar of ten blocks and the percentage."""
    full = round(BAR * min(share, 1.0))
    text = Text("█" * full, style="cyan")
    return text.append("░" * (BAR - full), style="dim").append(f" {100 * share:3.0f} %")


def comparison(outcomes: Sequence[Outcome]) -> Table:
    """What the policies come to, the best of each column in bold."""
    table = Table(title="", box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("policy")
    for name in ("placed", "left out", "GPU hours", "gangs", "mean wait", "p95 wait", "proven"):
        table.add_column(name, justify="right")
    most = max((each.placed for each in outcomes), default=0)
    most_gpu = max((each.gpu_hours for each in outcomes), default=0.0)
    least_wait = min((each.wait_mean_s for each in outcomes), default=0.0)
    for each in outcomes:
        proven = f"{100 * each.windows_proven / max(each.windows, 1):.0f} %"
        table.add_row(
            each.policy,
            _bold(f"{each.placed:,}", best=each.placed == most),
            f"{each.pods - each.placed:,}",
            _bold(f"{each.gpu_hours:,.1f}", best=each.gpu_hours >= most_gpu - 0.05),
            f"{each.gangs_started}/{each.gangs}",
            _bold(written(each.wait_mean_s), best=each.wait_mean_s == least_wait),
            written(each.wait_p95_s),
            proven if each.policy == "solver" else "–",
        )
    return table


def _bold(text: str, *, best: bool) -> Text:
    return Text(text, style="bold" if best else "")
