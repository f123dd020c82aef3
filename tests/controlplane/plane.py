"""A control plane of one's own: real etcd, kube-apiserver and kube-scheduler on loopback.

What is started here is the real thing with its real checks: RBAC decides, certificates identify.
Two things are as in no production cluster, and why: etcd does not wait for the disk, since nothing
here outlives the test; and there is no kube-controller-manager, so ServiceAccount admission (which
waits for its accounts) and TaintNodesByCondition (whose taint it would take away again) are off.

Ports are held by this process, bound and never listening, for as long as the control plane lives;
the servers share them (SO_REUSEPORT). So nobody takes a port between choosing and using it, and a
server that is restarted comes back where it was. Servers end when their standard input does, which
is a pipe of this process: they cannot outlive it, however it ends.
"""

import datetime as dt
import http.client
import json
import shutil
import socket
import ssl
import subprocess
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.controlplane.api import Api
from tests.controlplane.certificates import Authority, signing_key
from tests.controlplane.cluster import ADMIN, Apis, kubeconfig_in

READY_S_MAX = 120
READY_POLL_S = 0.05
SHOWN_LOG_LINES = 25
SCHEDULER_QPS = 5000
"""kube-scheduler's own default, 50, would measure the limit and not the scheduler."""
ADMIN_GROUP = "system:masters"
# Pod groups are off by default in every release up to 1.37.
GATES = ("GenericWorkload", "TopologyAwareWorkloadScheduling")
API_GATES = (*GATES, "CompositePodGroup")
APIS = ("scheduling.k8s.io/v1beta1", "scheduling.k8s.io/v1alpha3")


class ControlPlaneError(Exception):
    """A server of the control plane did not become ready; holds the ends of the logs."""


class ControlPlane:
    """etcd and kube-apiserver, and kube-scheduler on demand.

    Args:
        programs: The program of ``make controlplane``, or a folder with ``etcd``,
            ``kube-apiserver`` and ``kube-scheduler``.
        folder: Where data, certificates and logs are written; the logs stay.
    """

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs = programs
        self.folder = folder
        self._authority = Authority(dt.datetime.now(dt.UTC))  # noqa: TID251 -- certificates tell real time
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._ports: dict[str, socket.socket] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start with nothing in it, and wait until it answers.

        Raises:
            ControlPlaneError: It does not.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._apis = Apis()
        self._ports = {
            name: _port() for name in ("etcd", "peer", "kube-apiserver", "kube-scheduler")
        }
        self._certificate, self._key = self._authority.server().write(self.folder, "server")
        self._ca, self._tokens = self.folder / "ca.crt", self.folder / "tokens.key"
        self._ca.write_bytes(self._authority.certificate)
        self._tokens.write_bytes(signing_key())
        self._tls = ssl.create_default_context(cafile=str(self._ca))
        self._admin = self.kubeconfig(ADMIN, (ADMIN_GROUP,))
        try:
            self._start_empty()
        except ControlPlaneError:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything and throw the data away."""
        self._apis.close()
        self._kill(*self._running)
        shutil.rmtree(self.folder / "etcd", ignore_errors=True)
        for held in self._ports.values():
            held.close()

    def wipe(self) -> None:
        """Start over with nothing in it; kubeconfigs stay good, a scheduler is stopped."""
        self._kill(*self._running)
        shutil.rmtree(self.folder / "etcd")
        self._start_empty()

    def restart_apiserver(self) -> None:
        """Kill kube-apiserver, connections and watches with it, and start it on the same port."""
        self.stop_apiserver()
        self.start_apiserver()

    def stop_apiserver(self) -> None:
        """Kill kube-apiserver: from here on connections are refused."""
        self._kill("kube-apiserver")

    def start_apiserver(self) -> None:
        """Start kube-apiserver, and wait until it is ready."""
        arguments = [
            f"--etcd-servers=http://127.0.0.1:{self._port_of('etcd')}",
            *self._serving("kube-apiserver"),
            # Loopback is no address to give to pods: no Endpoints of the API server.
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--client-ca-file={self._ca}",
            f"--service-account-key-file={self._tokens}",
            f"--service-account-signing-key-file={self._tokens}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
            "--allow-privileged",
            "--max-requests-inflight=3000",
            "--max-mutating-requests-inflight=1000",
            f"--feature-gates={','.join(f'{gate}=true' for gate in API_GATES)}",
            f"--runtime-config={','.join(f'{api}=true' for api in APIS)}",
        ]
        self._start("kube-apiserver", arguments)
        self._wait("kube-apiserver", "/readyz")

    def start_kube_scheduler(
        self,
        qps: int = SCHEDULER_QPS,
        config: Mapping[str, Any] | None = None,
        gates: Sequence[str] = GATES,
    ) -> None:
        """Start kube-scheduler, and wait until it is healthy.

        Args:
            qps: How many calls a second its client may make.
            config: More fields of its KubeSchedulerConfiguration, such as ``profiles``.
            gates: Feature gates to switch on.
        """
        kubeconfig = self.kubeconfig("system:kube-scheduler")
        settings = {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "clientConnection": {"kubeconfig": str(kubeconfig), "qps": qps, "burst": qps},
            "leaderElection": {"leaderElect": False},
            **(config or {}),
        }
        file = self.folder / "kube-scheduler.json"
        file.write_text(json.dumps(settings), encoding="utf-8")
        arguments = [
            f"--config={file}",
            *self._serving("kube-scheduler"),
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
        ]
        if gates:
            arguments.append(f"--feature-gates={','.join(f'{gate}=true' for gate in gates)}")
        self._start("kube-scheduler", arguments)
        self._wait("kube-scheduler", "/readyz")

    def stop_kube_scheduler(self) -> None:
        """Kill kube-scheduler."""
        self._kill("kube-scheduler")

    def kubeconfig(self, user: str, groups: Sequence[str] = ()) -> Path:
        """Write a kubeconfig for a user, who may do what RBAC says of him and his groups."""
        identity = self._authority.user(user, tuple(groups))
        cluster = {
            "server": f"https://127.0.0.1:{self._port_of('kube-apiserver')}",
            "certificate-authority-data": b64encode(self._authority.certificate).decode(),
        }
        shown = {
            "client-certificate-data": b64encode(identity.certificate).decode(),
            "client-key-data": b64encode(identity.key).decode(),
        }
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": user, "user": shown}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": user}}],
            "current-context": "tests",
        }
        file = kubeconfig_in(self.folder, user, groups)
        file.write_text(json.dumps(content), encoding="utf-8")
        return file

    @property
    def admin(self) -> Path:
        """The kubeconfig of one who may do everything."""
        return self._admin

    def api(self, user: str = ADMIN, groups: Sequence[str] = ()) -> Api:
        """Calls of a user, by default of the administrator."""
        return self._apis.of(self._admin if user == ADMIN else self.kubeconfig(user, groups))

    def pid(self, name: str) -> int:
        """The process of a server, for tests that measure it."""
        return self._running[name].pid

    def _start_empty(self) -> None:
        here, peer = (f"http://127.0.0.1:{self._port_of(name)}" for name in ("etcd", "peer"))
        self._start(
            "etcd",
            [
                f"--data-dir={self.folder / 'etcd'}",
                f"--listen-client-urls={here}",
                f"--advertise-client-urls={here}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
                "--socket-reuse-port",
                "--unsafe-no-fsync",
                "--log-level=warn",
            ],
        )
        self.start_apiserver()

    def _serving(self, name: str) -> list[str]:
        return [
            "--bind-address=127.0.0.1",
            f"--secure-port={self._port_of(name)}",
            "--permit-port-sharing",
            f"--tls-cert-file={self._certificate}",
            f"--tls-private-key-file={self._key}",
        ]

    def _port_of(self, name: str) -> int:
        port: int = self._ports[name].getsockname()[1]
        return port

    def _start(self, name: str, arguments: Sequence[str]) -> None:
        assert name not in self._running, f"{name} runs already"
        if self.programs.is_dir():
            command = [str(self.programs / name)]
        else:
            command = [str(self.programs), name]
        with self._log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                [*command, *arguments], stdin=subprocess.PIPE, stdout=log, stderr=log
            )

    def _wait(self, name: str, path: str) -> None:
        """Ask until a server says that it is ready, as long as the process is there."""
        until = time.monotonic() + READY_S_MAX
        while time.monotonic() < until and self._running[name].poll() is None:
            if self._says_ok(name, path):
                return
            time.sleep(READY_POLL_S)
        self._kill(name)
        raise ControlPlaneError(f"{name} did not become ready\n{self.logs()}")

    def _says_ok(self, name: str, path: str) -> bool:
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self._port_of(name), context=self._tls, timeout=5
        )
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _kill(self, *names: str) -> None:
        """Kill at once: nothing that a server would do at its end is needed here."""
        for process in (
            stopped := [self._running.pop(name) for name in names if name in self._running]
        ):
            process.kill()
        for process in stopped:
            process.communicate()

    def logs(self) -> str:
        """The ends of all logs, for the message of a failure."""
        ends = []
        for log in sorted(self.folder.glob("*.log")):
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            ends.append("\n".join([f"--- {log}", *lines[-SHOWN_LOG_LINES:]]))
        return "\n".join(ends)

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


def _port() -> socket.socket:
    """A free port of loopback, held."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind(("127.0.0.1", 0))
    return held
