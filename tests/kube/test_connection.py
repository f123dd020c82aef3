"""A connection sends what it is told and says what was answered; credentials are kubectl's."""

import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.client import Configuration
from kubernetes.config import incluster_config

from batchsched.kube.connection import Connection
from batchsched.kube.errors import RefusedError, UnauthorizedError, UnreachableError
from batchsched.snapshot.errors import InputError
from tests.kube.served import Answer, Request, connected, serving


def test_a_request_is_sent_as_it_was_asked_for() -> None:
    seen: list[Request] = []

    def answer(request: Request) -> Answer:
        seen.append(request)
        return Answer(201, b'{"kind":"Status"}')

    with connected(answer) as connection:
        reply = connection.call(
            "PATCH",
            "/api/v1/pods",
            query={"dryRun": "All", "limit": "5"},
            body={"a": 1},
            content_type="application/merge-patch+json",
        )
    (request,) = seen
    assert (request.method, request.path, request.body) == ("PATCH", "/api/v1/pods", b'{"a":1}')
    assert request.query == {"dryRun": "All", "limit": "5"}
    assert request.headers["content-type"] == "application/merge-patch+json"
    assert request.headers["user-agent"].startswith("batchsched/")
    assert (reply.status, reply.json()) == (201, {"kind": "Status"})


def test_a_request_leaves_when_the_fence_lets_it_else_nothing_is_sent() -> None:
    seen: list[Request] = []

    def answer(request: Request) -> Answer:
        seen.append(request)
        return Answer()

    def shut() -> None:
        raise InputError("shut")

    with connected(answer) as connection:
        connection.call("POST", "/first", body={"a": 1}, fence=lambda: None)
        with pytest.raises(InputError, match="shut"):
            connection.call("POST", "/second", body={"a": 2}, fence=shut)
        connection.call("POST", "/third", body={"a": 3})
    assert [(request.path, request.body) for request in seen] == [
        ("/first", b'{"a":1}'),
        ("/third", b'{"a":3}'),
    ]
    assert "transfer-encoding" not in seen[0].headers


@pytest.mark.parametrize("status", [200, 301, 403, 404, 409, 410, 429, 500, 503])
def test_any_status_is_a_value(status: int) -> None:
    body = json.dumps({"kind": "Status", "message": "said the server"}).encode()
    with connected(lambda _: Answer(status, body, {"Retry-After": "3"})) as connection:
        reply = connection.call("GET", "/api")
    assert (reply.status, reply.reason) == (status, "said the server")
    assert reply.headers["retry-after"] == "3"


def test_a_reason_that_is_no_status_is_shown_as_text() -> None:
    with connected(lambda _: Answer(502, b"<html>bad gateway</html>")) as connection:
        assert connection.call("GET", "/").reason == "<html>bad gateway</html>"


def test_credentials_that_are_not_accepted_are_an_error_everywhere() -> None:
    with connected(lambda _: Answer(401, b'{"message":"Unauthorized"}')) as connection:
        with pytest.raises(UnauthorizedError, match="GET /api: 401 Unauthorized; the credentials"):
            connection.call("GET", "/api")
        with pytest.raises(UnauthorizedError):
            list(connection.lines("/api", {"watch": "1"}, idle_s=1))


def test_a_server_that_is_not_there_cannot_be_reached() -> None:
    with serving(lambda _: Answer()) as host:
        pass
    with pytest.raises(UnreachableError, match=r"GET /api: .*refused"):
        connection_to(host).call("GET", "/api")
    with pytest.raises(UnreachableError, match=r"watch /api: .*refused"):
        list(connection_to(host).lines("/api", {}, idle_s=1))


def test_a_server_that_does_not_answer_in_time_cannot_be_reached() -> None:
    over = threading.Event()

    def answer(_: Request) -> Answer:
        over.wait(10)
        return Answer()

    with connected(answer) as connection:
        with pytest.raises(UnreachableError, match="timed out"):
            connection.call("GET", "/api", timeout_s=0.05)
        over.set()


def test_a_connection_is_kept_and_one_that_the_server_closed_is_made_anew() -> None:
    headers = iter([{}, {"Connection": "close"}, {}])
    with connected(lambda _: Answer(headers=next(headers))) as connection:
        assert [connection.call("GET", "/").status for _ in range(3)] == [200] * 3


def test_lines_come_whole_however_they_are_cut_and_half_a_line_at_the_end_is_none() -> None:
    chunks = [b'{"a":1}\n{"b"', b":2}\n", b"\n", b'{"c":3}\n{"half']
    with connected(lambda _: Answer(chunks=iter(chunks))) as connection:
        found = list(connection.lines("/api/v1/pods", {"watch": "1"}, idle_s=5))
    assert found == [b'{"a":1}', b'{"b":2}', b'{"c":3}']


def test_lines_come_as_soon_as_they_are_sent() -> None:
    more = threading.Event()

    def chunks() -> Iterator[bytes]:
        yield b"one\n"
        more.wait(10)
        yield b"two\n"

    with connected(lambda _: Answer(chunks=chunks())) as connection:
        lines = connection.lines("/", {}, idle_s=5)
        assert next(lines) == b"one"
        more.set()
        assert next(lines) == b"two"


def test_a_stream_that_breaks_or_falls_silent_cannot_be_reached() -> None:
    over = threading.Event()

    def silent() -> Iterator[bytes]:
        yield b"one\n"
        over.wait(10)

    answers = iter([Answer(chunks=iter([b"one\n"]), cut=True), Answer(chunks=silent())])
    with connected(lambda _: next(answers)) as connection:
        for _ in range(2):
            lines = connection.lines("/", {}, idle_s=0.05)
            assert next(lines) == b"one"
            with pytest.raises(UnreachableError):
                next(lines)
        over.set()


def test_a_watch_that_is_refused_says_so() -> None:
    body = b'{"kind":"Status","message":"too old resource version"}'
    with (
        connected(lambda _: Answer(410, body)) as connection,
        pytest.raises(RefusedError, match="watch /x: 410 too old") as caught,
    ):
        list(connection.lines("/x", {}, idle_s=1))
    assert caught.value.status == 410


##### Where credentials come from


def connection_to(host: str) -> Connection:
    return Connection(Configuration(host=host))


def kubeconfig(path: Path, host: str, user: dict[str, Any], name: str = "one") -> Path:
    """Write a kubeconfig with one context."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": host}}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a kubeconfig, outside of any cluster."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def authorization(connection: Connection) -> str | None:
    return connection._headers().get("authorization")


def test_a_kubeconfig_is_found_by_option_then_by_environment_then_at_home(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".kube").mkdir()
    kubeconfig(home / ".kube" / "config", "http://home", {"token": "t-home"}, "home")
    assert Connection.open().host == "http://home"
    first = kubeconfig(home / "first", "http://first", {"token": "t-first"}, "first")
    second = kubeconfig(home / "second", "http://second", {"token": "t-second"}, "second")
    monkeypatch.setenv("KUBECONFIG", f"{first}:{second}:{home / 'absent'}")
    assert Connection.open(context="first").host == "http://first"
    assert authorization(Connection.open(context="second")) == "Bearer t-second"
    option = kubeconfig(home / "option", "http://option/prefix/", {"token": "t"})
    assert Connection.open(kubeconfig=str(option)).host == "http://option/prefix"


def test_an_exec_plug_in_gives_the_token(home: Path) -> None:
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "from-plug-in"},
    }
    plug_in = home / "plug-in"
    plug_in.write_text(f"#!/bin/sh\necho '{json.dumps(credential)}'\n", encoding="utf-8")
    plug_in.chmod(0o755)
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(plug_in),
            "interactiveMode": "Never",
        }
    }
    connection = Connection.open(kubeconfig=str(kubeconfig(home / "k", "http://x", user)))
    assert authorization(connection) == "Bearer from-plug-in"


def test_a_user_with_a_password_is_sent_as_one(home: Path) -> None:
    user = {"username": "u", "password": "p"}
    connection = Connection.open(kubeconfig=str(kubeconfig(home / "k", "http://x", user)))
    assert authorization(connection) == "Basic " + base64.b64encode(b"u:p").decode()


def test_in_a_cluster_the_service_account_is_taken_and_its_token_read_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, certificate = home / "token", home / "ca.crt"
    token.write_text("first", encoding="utf-8")
    certificate.write_text("", encoding="utf-8")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(certificate))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    certificate.write_text("not looked at before a connection is made", encoding="utf-8")
    connection = Connection.open()
    assert connection.host == "https://10.0.0.1:443"
    assert authorization(connection) == "bearer first"


def test_without_any_credentials_one_line_says_what_to_do(home: Path) -> None:
    with pytest.raises(InputError, match="run in a cluster"):
        Connection.open()
    with pytest.raises(InputError, match=r"--kubeconfig: .*name a file with --kubeconfig"):
        Connection.open(kubeconfig=str(home / "absent"))
    with pytest.raises(InputError, match="absent"):
        Connection.open(
            kubeconfig=str(kubeconfig(home / "k", "http://x", {"token": "t"})), context="absent"
        )


@pytest.mark.parametrize("text", ["", "[]", "a: [", "just text", "contexts: 5\ncurrent-context: a"])
def test_a_file_that_is_no_kubeconfig_is_bad_input(home: Path, text: str) -> None:
    broken = home / "broken"
    broken.write_text(text, encoding="utf-8")
    with pytest.raises(InputError):
        Connection.open(kubeconfig=str(broken))
