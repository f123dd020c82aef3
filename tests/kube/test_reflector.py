"""A reflector ends up with the truth, whatever the server does on the way."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest

from batchsched.kube.discovery import RESOURCES
from batchsched.kube.errors import UnauthorizedError
from batchsched.kube.reflector import Pace, Reflector
from batchsched.snapshot.kinds import GroupKind, Key
from tests.kube.api_server import FakeApi, status
from tests.kube.manifests import GROUPS, PODS, gang, pod
from tests.kube.served import Answer, connected

QUICK = Pace(backoff_s=0.001, backoff_max_s=0.01, watch_s=30, absent_s=0.01, short_s=0)
PATIENCE_S = 20.0
RESOURCE_OF = {resource.kind: resource for resource in RESOURCES}


class Seen:
    """A sink that keeps what it was told."""

    def __init__(self) -> None:
        self.known: dict[Key, Any] = {}
        self.log: list[str] = []
        self.error: Exception | None = None
        self._news = threading.Condition()

    def listed(self, kind: GroupKind, nouns: Mapping[Key, Any]) -> None:
        with self._news:
            self.known = dict(nouns)
            self.log.append(f"listed {len(nouns)}")
            self._news.notify_all()

    def put(self, kind: GroupKind, key: Key, noun: Any) -> None:
        with self._news:
            self.known[key] = noun
            if noun is None:
                del self.known[key]
            self.log.append(f"{'put' if noun is not None else 'gone'} {key[1]}")
            self._news.notify_all()

    def failed(self, error: Exception) -> None:
        with self._news:
            self.error = error
            self._news.notify_all()

    def names(self) -> list[str]:
        return sorted(name for _, name in self.known)

    def wait(self, names: list[str]) -> None:
        """Wait until exactly these are known."""
        with self._news:
            assert self._news.wait_for(lambda: self.names() == names, PATIENCE_S), self.log

    def wait_for(self, entry: str) -> None:
        with self._news:
            assert self._news.wait_for(lambda: entry in self.log, PATIENCE_S), self.log


@contextmanager
def reflecting(
    api: FakeApi, kind: GroupKind = ("", "Pod"), pace: Pace = QUICK
) -> Iterator[tuple[Seen, Reflector]]:
    """A reflector of one kind at work."""
    seen = Seen()
    with connected(api.answer) as connection:
        reflector = Reflector(connection, RESOURCE_OF[kind], seen, Random(1), pace)
        reflector.start()
        try:
            yield seen, reflector
        finally:
            reflector.stop()
            while reflector.running():  # a watch may just have begun
                api.cut()
                reflector.join(0.01)


def asked(api: FakeApi, path: str, *, watch: bool) -> list[dict[str, str]]:
    return [r.query for r in api.requests if r.path == path and ("watch" in r.query) == watch]


@pytest.fixture
def api() -> FakeApi:
    made = FakeApi()
    made.put(PODS, pod("a"))
    made.put(PODS, pod("b"))
    return made


def test_a_list_comes_in_pages_and_a_watch_goes_on_from_its_version(api: FakeApi) -> None:
    api.page_objects_max = 1
    with reflecting(api) as (seen, _):
        seen.wait(["a", "b"])
        api.put(PODS, pod("c"))
        api.delete(PODS, "default", "a")
        seen.wait(["b", "c"])
    lists = asked(api, PODS, watch=False)
    assert [query.get("continue") for query in lists] == [None, "1"]
    assert {query["limit"] for query in lists} == {"500"}
    (first, *_) = asked(api, PODS, watch=True)
    assert first["resourceVersion"] == "3"
    assert first["allowWatchBookmarks"] == "true"
    assert 30 <= int(first["timeoutSeconds"]) <= 60


def test_the_plain_end_of_a_stream_is_gone_on_from_without_a_list(api: FakeApi) -> None:
    with reflecting(api) as (seen, reflector):
        seen.wait(["a", "b"])
        for name in ("c", "d", "e"):
            api.cut()
            api.put(PODS, pod(name))
            seen.wait_for(f"put {name}")
        assert reflector.lists == 1
    assert seen.log.count("put c") == seen.log.count("put d") == 1, "no event comes twice"


def test_a_bookmark_moves_the_version_on(api: FakeApi) -> None:
    with reflecting(api) as (seen, reflector):
        seen.wait(["a", "b"])
        wait_until(lambda: asked(api, PODS, watch=True))
        api.bookmark(PODS)
        api.put("/elsewhere", pod("x"))
        wait_until(lambda: reflector.problem == "")
        time.sleep(0.05)  # until the bookmark was read; there is nothing to see it by
        api.forget()  # all but the bookmark's version is forgotten
        api.cut()
        wait_until(lambda: len(asked(api, PODS, watch=True)) > 1)
    assert int(asked(api, PODS, watch=True)[1]["resourceVersion"]) > 3


@pytest.mark.parametrize("how", ["status", "event 410", "event 500"])
def test_a_version_that_is_forgotten_is_listed_anew(api: FakeApi, how: str) -> None:
    with reflecting(api) as (seen, reflector):
        seen.wait(["a", "b"])
        wait_until(lambda: asked(api, PODS, watch=True))
        if how == "status":
            api.failures[PODS] = [status(410, "too old")]
            api.cut()
        else:
            api.tell(PODS, "ERROR", {"kind": "Status", "code": int(how[-3:])})
        wait_until(lambda: reflector.lists == 2)
        api.put(PODS, pod("c"))
        seen.wait(["a", "b", "c"])


@pytest.mark.parametrize(
    "line",
    [b"}{\n", b"null\n", b"[]\n", b'"x"\n', b"{}\n", b'{"type":"ADDED"}\n',
     b'{"type":"ADDED","object":5}\n', b'{"type":"ADDED","object":{"metadata":[]}}\n'],
)  # fmt: skip
def test_a_line_that_is_no_event_leads_to_a_new_list(api: FakeApi, line: bytes) -> None:
    api.garbage = [line]
    with reflecting(api) as (seen, reflector):
        wait_until(lambda: reflector.lists == 2)
        api.put(PODS, pod("c"))
        seen.wait(["a", "b", "c"])


def test_half_a_line_at_the_end_is_read_again_whole(api: FakeApi) -> None:
    api.failures[PODS] = []
    with reflecting(api) as (seen, reflector):
        seen.wait(["a", "b"])
        api.failures[PODS] = [
            Answer(chunks=iter([b'{"type":"ADDED","object":{"metadata":{"na'])),
            Answer(chunks=iter([b'{"type":"ADD']), cut=True),
        ]
        api.cut()
        api.put(PODS, pod("c"))
        seen.wait(["a", "b", "c"])
        assert reflector.lists == 1


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_refusal_is_waited_out(api: FakeApi, code: int) -> None:
    api.failures[PODS] = [status(code, "not now")] * 3
    with reflecting(api) as (seen, reflector):
        seen.wait(["a", "b"])
        api.failures[PODS] = [status(code, "not now")] * 3
        api.cut()
        api.put(PODS, pod("c"))
        seen.wait(["a", "b", "c"])
        assert reflector.lists == 1, "a watch that is refused goes on from where it was"


def test_the_server_says_how_long_to_wait(api: FakeApi) -> None:
    api.failures[PODS] = [status(429, "too many requests", {"Retry-After": "1"})]
    began_s = time.monotonic()
    with reflecting(api) as (seen, _):
        seen.wait(["a", "b"])
    assert time.monotonic() - began_s >= 1


def test_a_watch_that_is_forbidden_is_listed_anew_when_it_is_allowed(api: FakeApi) -> None:
    with reflecting(api) as (seen, _):
        seen.wait(["a", "b"])
        api.failures[PODS] = [status(403, "forbidden")] * 3
        api.cut()
        api.put(PODS, pod("c"))
        seen.wait(["a", "b", "c"])


def test_what_is_missing_in_a_new_list_is_gone(api: FakeApi) -> None:
    with reflecting(api) as (seen, _):
        seen.wait(["a", "b"])
        api.failures[PODS] = [status(503, "not now")] * 3
        api.cut()
        api.delete(PODS, "default", "a")
        api.forget()
        seen.wait(["b"])


def test_while_it_fails_it_says_why(api: FakeApi) -> None:
    api.failures[PODS] = [
        status(403, 'pods is forbidden: User "x" cannot list resource "pods"')
    ] * 999
    with reflecting(api) as (_, reflector):
        wait_until(lambda: "list pods: 403 pods is forbidden" in reflector.problem)


def test_credentials_that_are_not_accepted_end_it(api: FakeApi) -> None:
    api.failures[PODS] = [status(401, "Unauthorized")]
    with reflecting(api) as (seen, reflector):
        reflector.join(PATIENCE_S)
        assert isinstance(seen.error, UnauthorizedError)


def test_a_kind_that_is_not_served_is_empty_and_is_taken_up_when_it_comes(api: FakeApi) -> None:
    served = api.apis.pop("scheduling.k8s.io/v1beta1")
    with reflecting(api, ("scheduling.k8s.io", "PodGroup")) as (seen, _):
        seen.wait_for("listed 0")
        api.put(GROUPS, gang("g", 2))
        api.apis["scheduling.k8s.io/v1beta1"] = served
        seen.wait(["g"])


def test_a_kind_that_goes_away_has_no_objects_any_more(api: FakeApi) -> None:
    api.put(GROUPS, gang("g", 2))
    with reflecting(api, ("scheduling.k8s.io", "PodGroup")) as (seen, _):
        seen.wait(["g"])
        del api.apis["scheduling.k8s.io/v1beta1"]
        api.failures[GROUPS] = [status(404, "not found")] * 99
        api.cut()
        seen.wait([])


def wait_until(condition: Any) -> None:
    """Wait for what another thread does."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.001)
