"""Kept connections: what is kept, what is replaced, what is never sent twice; TLS and proxies."""

import datetime as dt
import gc
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from kubernetes.client import Configuration

from batchsched.kube.connection import Connection
from batchsched.kube.errors import UnreachableError
from batchsched.kube.transport import Address
from batchsched.snapshot.errors import InputError
from tests.controlplane.certificates import Authority
from tests.kube.served import Answer, Request, connected, serving


def test_one_connection_serves_calls_that_follow_each_other() -> None:
    with connected(lambda _: Answer(body=b"x" * 100_000)) as connection:
        kept: list[object] = []
        for _ in range(3):
            assert len(connection.call("GET", "/").body) == 100_000
            kept += connection._transport._idle
    assert kept == kept[:1] * 3


def test_threads_have_connections_of_their_own_and_few_are_kept() -> None:
    with serving(lambda request: Answer(body=request.path.encode())) as host:
        connection = Connection(Configuration(host=host), connections_max=2)
        with ThreadPoolExecutor(8) as threads:
            paths = [f"/{i}" for i in range(200)]
            bodies = list(threads.map(lambda path: connection.call("GET", path).body, paths))
        assert bodies == [path.encode() for path in paths]
        assert len(connection._transport._idle) <= 2
        connection.close()


def test_a_connection_that_the_server_closed_while_it_was_idle_is_replaced() -> None:
    with connected(lambda _: Answer(closes=True)) as connection:
        assert connection.call("POST", "/", body={}).status == 200
        (idle,) = connection._transport._idle
        while idle.is_usable():
            time.sleep(0.001)
        assert connection.call("POST", "/", body={}).status == 200
        assert list(connection._transport._idle) != [idle]


def test_a_request_that_may_have_arrived_is_not_sent_again() -> None:
    seen: list[Request] = []

    def answer(request: Request) -> Answer:
        seen.append(request)
        if len(seen) == 2:
            raise ConnectionError
        return Answer()

    with connected(answer) as connection:
        assert connection.call("POST", "/", body={}).status == 200
        with pytest.raises(UnreachableError, match="closed connection"):
            connection.call("POST", "/", body={})
        assert len(seen) == 2
        assert connection.call("POST", "/", body={}).status == 200


def test_a_connection_that_nobody_has_any_more_is_closed() -> None:
    with serving(lambda _: Answer()) as host:
        connection = Connection(Configuration(host=host))
        connection.call("GET", "/")
        (idle,) = connection._transport._idle
        del connection
        gc.collect()
        assert idle.sock is None


def test_half_an_answer_is_none() -> None:
    chunks = iter([b'{"half'])
    with (
        connected(lambda _: Answer(chunks=chunks, cut=True)) as connection,
        pytest.raises(UnreachableError),
    ):
        connection.call("GET", "/")


##### TLS


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority(dt.datetime.now(dt.UTC))  # noqa: TID251 -- certificates are for today


@contextmanager
def trusting(authority: Authority, folder: Path) -> Iterator[Configuration]:
    """A server that asks for certificates, and the configuration of a client that has one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.server().write(folder, "server"))
    trusted = folder / "ca.crt"
    trusted.write_bytes(authority.certificate)
    context.load_verify_locations(trusted)
    context.verify_mode = ssl.CERT_REQUIRED
    with serving(lambda request: Answer(body=request.path.encode()), context) as host:
        configuration = Configuration(host=host)
        configuration.ssl_ca_cert = str(trusted)
        certificate, key = authority.user("somebody").write(folder, "client")
        configuration.cert_file, configuration.key_file = str(certificate), str(key)
        yield configuration


def test_certificates_are_shown_and_verified(authority: Authority, tmp_path: Path) -> None:
    with trusting(authority, tmp_path) as configuration:
        connection = Connection(configuration)
        assert [connection.call("GET", "/a").body for _ in range(2)] == [b"/a"] * 2
        connection.close()
        configuration.cert_file = configuration.key_file = None
        with pytest.raises(UnreachableError):
            Connection(configuration).call("GET", "/a")


def test_a_server_with_another_name_is_refused_unless_that_name_is_meant(
    authority: Authority, tmp_path: Path
) -> None:
    with trusting(authority, tmp_path) as configuration:
        configuration.tls_server_name = "elsewhere"
        with pytest.raises(UnreachableError, match="certificate"):
            Connection(configuration).call("GET", "/a")
        configuration.tls_server_name = "kubernetes.default.svc"
        connection = Connection(configuration)
        assert connection.call("GET", "/a").body == b"/a"
        connection.close()


def test_a_server_that_nobody_vouches_for_is_refused_unless_that_does_not_matter(
    authority: Authority, tmp_path: Path
) -> None:
    with trusting(authority, tmp_path) as configuration:
        other = tmp_path / "other.crt"
        other.write_bytes(Authority(dt.datetime.now(dt.UTC)).certificate)  # noqa: TID251 -- as above
        configuration.ssl_ca_cert = str(other)
        with pytest.raises(UnreachableError, match="certificate"):
            Connection(configuration).call("GET", "/a")
        configuration.verify_ssl = False
        connection = Connection(configuration)
        assert connection.call("GET", "/a").body == b"/a"
        connection.close()


##### Proxies


@contextmanager
def tunnelling(seen: list[bytes]) -> Iterator[str]:
    """A proxy that makes one tunnel, and notes what it was asked."""

    def tunnel() -> None:
        near, _ = listening.accept()
        with near:
            asked = near.recv(65536)
            seen.append(asked)
            host, port = asked.split()[1].decode().split(":")
            with socket.create_connection((host, int(port))) as far:
                near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                other = {near: far, far: near}
                while True:
                    for ready in select.select([near, far], [], [])[0]:
                        if not (content := ready.recv(65536)):
                            return
                        other[ready].sendall(content)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=tunnel)
        thread.start()
        yield f"http://us:secret@127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


def test_a_proxy_makes_a_tunnel_to_a_server_that_speaks_tls(
    authority: Authority, tmp_path: Path
) -> None:
    seen: list[bytes] = []
    with trusting(authority, tmp_path) as configuration, tunnelling(seen) as proxy:
        configuration.proxy = proxy
        connection = Connection(configuration)
        assert connection.call("GET", "/a").body == b"/a"
        connection.close()
    (asked,) = seen
    assert asked.startswith(b"CONNECT 127.0.0.1:")
    assert b"Proxy-Authorization: Basic dXM6c2VjcmV0\r\n" in asked


def test_a_proxy_is_given_plain_requests_whole_unless_the_host_is_excepted() -> None:
    seen: list[Request] = []

    def answer(request: Request) -> Answer:
        seen.append(request)
        return Answer(body=b"from the proxy")

    with serving(answer) as proxy:
        configuration = Configuration(host="http://api.example:8080/prefix")
        configuration.proxy = proxy
        connection = Connection(configuration)
        assert connection.call("GET", "/api").body == b"from the proxy"
        connection.close()
        assert (seen[0].path, seen[0].headers["host"]) == ("/prefix/api", "api.example:8080")
    with serving(lambda _: Answer(body=b"from the server")) as host:
        configuration = Configuration(host=host)
        configuration.proxy, configuration.no_proxy = proxy, "127.0.0.1"
        connection = Connection(configuration)
        assert connection.call("GET", "/api").body == b"from the server"
        connection.close()


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "https://127.0.0.1:1", "http://a:b"])
def test_a_proxy_of_another_kind_is_refused(proxy: str) -> None:
    configuration = Configuration(host="https://api.example")
    configuration.proxy = proxy
    with pytest.raises(InputError):
        Connection(configuration)


##### Addresses


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://a.example", Address("https", "a.example", 443)),
        ("a.example:8080", Address("http", "a.example", 8080)),
        ("https://[::1]:6443/k8s/c/", Address("https", "::1", 6443, "/k8s/c")),
    ],
)
def test_an_address_is_read_as_kubectl_reads_it(url: str, address: Address) -> None:
    assert Address.of(url) == address
