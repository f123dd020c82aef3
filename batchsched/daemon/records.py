"""Records: each window's input and plan as files, so that any decision is solved again.

A folder a window, named by its solve id (or ``failed-w12-...``): ``snapshot.json.gz``, which every
command reads, ``plan.json``, ``profile.json`` and ``window.json``, which says how it was solved.
Pending pods that were not in the window have a scheduling gate in the file: ``batchsched solve``
decides on what is pending, and so on the same pods. A thread writes, because a snapshot takes a
second; what it cannot keep up with is dropped and counted, and the oldest folders make room.
"""

import gzip
import logging
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from queue import Full, Queue

import orjson

from batchsched.daemon.ports import WindowRecord
from batchsched.daemon.solving import Effort, Terms
from batchsched.plan.plan import Plan
from batchsched.snapshot.encode_cluster import written
from batchsched.snapshot.errors import InputError
from batchsched.snapshot.pod import Pod, PodSpec
from batchsched.snapshot.snapshot import Snapshot, Window, pending

API_VERSION = "batchsched.io/v1alpha1"
WAITING_MAX = 4
"""Records that wait for the disk; each holds a snapshot."""
CLOSE_S_MAX = 10.0
SNAPSHOT, PLAN, PROFILE, WINDOW = "snapshot.json.gz", "plan.json", "profile.json", "window.json"
_JSON = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept."""

    records_max: int = 500
    bytes_max: int = 4 * 1024**3


@dataclass(frozen=True, slots=True)
class _Record:
    name: str
    snapshot: Snapshot
    pods: Window
    plan: Plan | None
    told: Mapping[str, object]


class Records:
    """Writes records to a folder.

    Args:
        folder: Where; it is made if it is not there.
        terms: How the pods of each scheduler are placed.
        effort: The limits of each solve.
        bounds: How much is kept.

    Raises:
        InputError: The folder cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        terms: Mapping[str, Terms],
        effort: Effort,
        bounds: Bounds | None = None,
    ) -> None:
        """Have written nothing yet."""
        self._folder, self._terms, self._effort = folder, dict(terms), effort
        self._bounds = bounds or Bounds()
        self.dropped = 0
        """Records that were not written, since the start."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            what = f"cannot be made a folder for records: {error.strerror}"
            raise InputError(what, source=str(folder)) from None
        self._queue: Queue[_Record | None] = Queue(WAITING_MAX)
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)
        self._thread.start()

    def keep(self, window: WindowRecord, snapshot: Snapshot, pods: Window) -> None:
        """Have a window that is over written down; one without a plan was dumped before."""
        if window.plan is None:
            return
        told = {
            "window": window.window,
            "closedBy": window.closed_by,
            "bound": window.bound,
            "refused": window.refused,
        }
        name = window.solve_id or f"w{window.window}"
        self._put(_Record(name, snapshot, pods, window.plan, told))

    def dump(self, window: int, snapshot: Snapshot, pods: Window, reason: str) -> None:
        """Have the input of a failed solve written down."""
        digest = sha256(repr(pods.pods).encode()).hexdigest()[:10]
        told = {"window": window, "failure": reason}
        self._put(_Record(f"failed-w{window}-{digest}", snapshot, pods, None, told))

    def text(self, name: str, content: str) -> None:
        """Write a file of its own beside the records, at once."""
        (self._folder / name).write_text(content, encoding="utf-8")

    def close(self) -> None:
        """Write what waits."""
        self._queue.put(None)
        self._thread.join(CLOSE_S_MAX)

    def _put(self, record: _Record) -> None:
        try:
            self._queue.put_nowait(record)
        except Full:
            self.dropped += 1

    def _run(self) -> None:
        while (record := self._queue.get()) is not None:
            try:
                self._write(record)
                _make_room(self._folder, self._bounds)
            except OSError as error:
                self.dropped += 1
                log.warning("a record was not written: %s", error, extra={"solveID": record.name})

    def _write(self, record: _Record) -> None:
        """Write a folder beside its place, and put it there whole."""
        parts = self._parts(record)
        target, draft = self._folder / record.name, self._folder / f".{record.name}"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        for name, content in parts.items():
            (draft / name).write_bytes(content)
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)

    def _parts(self, record: _Record) -> dict[str, bytes]:
        """The files of a record."""
        terms = self._terms_of(record.pods)
        snapshot = gzip.compress(written(as_decided(record.snapshot, record.pods)), 1, mtime=0)
        told = {
            "apiVersion": API_VERSION,
            "kind": "Window",
            **record.told,
            "replay": " ".join(self._command(terms)),
            "pods": ["/".join(pod.key) for pod in record.pods.pods],
        }
        parts = {
            SNAPSHOT: snapshot,
            PROFILE: orjson.dumps(terms.profile.model_dump(by_alias=True), option=_JSON),
            WINDOW: orjson.dumps(told, option=_JSON),
        }
        if record.plan is not None:
            origin = record.plan.snapshot.model_copy(
                update={"sha256": sha256(snapshot).hexdigest()}
            )
            parts[PLAN] = record.plan.model_copy(update={"snapshot": origin}).to_json()
        return parts

    def _terms_of(self, pods: Window) -> Terms:
        """The terms of the scheduler whose pods these are."""
        names = [pod.spec.scheduler_name for pod in pods.pods]
        known = [name for name in names if name in self._terms]
        return self._terms[known[0]] if known else next(iter(self._terms.values()))

    def _command(self, terms: Terms) -> list[str]:
        """What to type in the folder of a record to solve it again."""
        limits = self._effort.limits()
        words = ["batchsched", "solve", SNAPSHOT, "--profile", PROFILE]
        words += ["--time-limit", f"{limits.time_limit_s:g}", "--workers", str(limits.workers)]
        words += ["--seed", str(limits.seed)]
        return [*words, "--preemption", "lower-priority"] if terms.allowance.preemption else words


def as_decided(snapshot: Snapshot, window: Window) -> Snapshot:
    """The snapshot in which the pods of the window are all that is pending."""
    chosen = {pod.key for pod in window.pods}
    waiting = {pod.key for pod in pending(snapshot).pods} - chosen
    gated: dict[int, tuple[PodSpec, PodSpec]] = {}

    def held_back(pod: Pod) -> Pod:
        spec, held = gated.setdefault(id(pod.spec), (pod.spec, replace(pod.spec, gated=True)))
        assert spec is pod.spec
        return replace(pod, spec=held, requests=held.requests)

    pods = tuple(held_back(pod) if pod.key in waiting else pod for pod in snapshot.pods)
    return replace(snapshot, pods=pods)


def _make_room(folder: Path, bounds: Bounds) -> None:
    """Remove the oldest records until the others are within bounds; the last one stays."""
    records = [path for path in folder.iterdir() if (path / SNAPSHOT).is_file()]
    records.sort(key=lambda path: (-path.stat().st_mtime_ns, path.name))
    total = 0
    for at, record in enumerate(records):
        total += sum(part.stat().st_size for part in record.iterdir())
        if at and (at >= bounds.records_max or total > bounds.bytes_max):
            shutil.rmtree(record, ignore_errors=True)
