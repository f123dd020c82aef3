"""The real kustomize and the real Helm: what people render deploy/ with, its tests render it with.

Neither is a package that pip could install, and a reading of their files in Python would prove only
that we believe ourselves. Go's module proxy has both: go.mod beside this file names them as tools,
and like the control plane (whose compiled modules they share) they are built once, outside the
tree, under the hash of what they are made from. That takes about three minutes of two cores.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from tests.controlplane.build import BUILD_S_MAX, NoGoError, _alone, _go, cache_folder

HERE = Path(__file__).resolve().parent
DEPLOY = HERE.parents[1] / "deploy"
CHART = DEPLOY / "helm" / "batchsched"
PACKAGES = ("helm.sh/helm/v4/cmd/helm", "sigs.k8s.io/kustomize/kustomize/v5")
PROGRAMS = ("helm", "kustomize")
Manifest = dict[str, Any]


class RefusedError(Exception):
    """A tool did not do it; holds what it said."""


def folder() -> Path:
    """Where the programs are, once they are built."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        digest.update((HERE / name).read_bytes())
    return cache_folder().with_name("deploy") / digest.hexdigest()[:16]


def there() -> bool:
    """Whether they are built."""
    return all((folder() / name).exists() for name in PROGRAMS)


def build() -> Path:
    """Compile the programs unless that was done before, and say where they are.

    Raises:
        NoGoError: Go is missing.
        subprocess.CalledProcessError: They do not compile, or a module cannot be had.
    """
    target = folder()
    with _alone(target):
        if not there():
            print("building kustomize and helm: a few minutes", file=sys.stderr, flush=True)
            unfinished = target / "unfinished"
            subprocess.run(
                [
                    *(_go(), "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w"),
                    *("-o", f"{unfinished}/", *PACKAGES),
                ],
                cwd=HERE,
                env=os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"},
                check=True,
                timeout=BUILD_S_MAX,
            )
            for name in PROGRAMS:  # under its name stands only what is whole
                (unfinished / name).replace(target / name)
            unfinished.rmdir()
    return target


def run(name: str, arguments: Iterable[str | Path], home: Path) -> str:
    """Run one of the programs, with a home of its own.

    Raises:
        RefusedError: It failed.
    """
    environment = {"HOME": str(home), "PATH": os.defpath}
    done = subprocess.run(
        [folder() / name, *arguments], env=environment, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise RefusedError(done.stderr.strip())
    return done.stdout


def manifests(text: str) -> list[Manifest]:
    """The objects of a rendering."""
    return [found for found in yaml.safe_load_all(text) if found]


def main() -> int:
    """Build, and print the path as the last line."""
    try:
        print(build())
    except (NoGoError, subprocess.SubprocessError) as error:
        print(f"no kustomize and no helm: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
