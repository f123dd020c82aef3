"""Does in a clean folder what deploy/Dockerfile says, where no image can be built, and runs it.

It reads the file that ``docker build`` reads, so nothing is said twice. Each stage begins with an
empty root at one and the same path (virtual environments hold their own path), sees of the checkout
what .dockerignore lets through, and is put aside when it ends, for later stages to copy from. What
this cannot show is the base image: the Python that runs this stands in for it, and packages come
from wherever pip is configured to take them.

    python -m tests.deploy.image    # or: make image-check
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
CONFIGURATIONS = ("deploy/kustomize/base/config.yaml", "deploy/cronjob/config.yaml")
FOLDERS = re.compile(r"(?<![\w.}/])/(?=(?:opt|src|dist|tmp)\b)")
"""Absolute paths of our own in a command; they are taken to be below the root of the stage."""


@dataclass(slots=True)
class Stage:
    """One FROM and what follows it."""

    name: str
    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)


def stages(text: str) -> list[Stage]:
    """Read a Dockerfile: instruction and argument, lines that go on joined."""
    found: list[Stage] = []
    joined = re.sub(r"\\\n\s*", "", text)
    for line in joined.splitlines():
        instruction, _, argument = line.strip().partition(" ")
        if instruction == "FROM":
            base, _, name = argument.partition(" AS ")
            found.append(Stage(name or "image", base))
        elif found and instruction and not instruction.startswith("#"):
            found[-1].steps.append((instruction, argument))
    return found


def let_through(path: str, rules: list[str]) -> bool:
    """Whether .dockerignore leaves a path in the context: the last rule that matches decides."""
    kept = True
    for rule in rules:
        pattern = rule.removeprefix("!").lstrip("/")
        inside = pattern.removeprefix("**/")
        matches = (
            fnmatch(path, pattern)
            or path.startswith(f"{pattern}/")
            or (inside != pattern and inside in path.split("/"))
        )
        if matches:
            kept = rule.startswith("!")
    return kept


class Builder:
    """Builds stage after stage in a folder that is empty at first."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self._aside = folder / "stages"
        self._tools = folder / "bin"
        self._tools.mkdir(parents=True)
        base = getattr(sys, "_base_executable", sys.executable)
        (self._tools / "python").symlink_to(base)
        lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        self._rules = [line for line in lines if line and not line.startswith("#")]

    def build(self, text: str) -> None:
        """Carry out all stages; the root of the last one stays."""
        every = stages(text)
        for stage in every:
            self.root.mkdir()
            here = self.root
            for instruction, argument in stage.steps:
                if instruction == "WORKDIR":
                    here = self.root / argument.lstrip("/")
                    here.mkdir(parents=True, exist_ok=True)
                elif instruction == "COPY":
                    self._copy(argument.split(), here)
                elif instruction == "RUN":
                    self.run(["sh", "-c", FOLDERS.sub(f"{self.root}/", argument)], here)
            if stage is not every[-1]:
                self._aside.mkdir(exist_ok=True)
                self.root.rename(self._aside / stage.name)

    def run(self, command: list[str], here: Path) -> str:
        """Run a command with nothing of the environment that it could lean on."""
        print("+", " ".join(command).replace(str(self.root), ""), flush=True)
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in {"PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME"}
        }
        environment["PATH"] = f"{self._tools}:{os.defpath}"
        done = subprocess.run(
            command, cwd=here, env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout

    def _copy(self, words: list[str], here: Path) -> None:
        """COPY, from the context or from a stage."""
        source = ROOT
        if words[0].startswith("--from="):
            source = self._aside / words.pop(0).removeprefix("--from=")
        *names, last = words
        target = self.root / last.lstrip("/") if last.startswith("/") else here / last
        for name in names:
            origin = source / name.lstrip("/")
            if source == ROOT:
                self._copy_context(origin, target)
            elif origin.is_dir():
                shutil.copytree(origin, target, symlinks=True)
            else:
                shutil.copy2(origin, target)

    def _copy_context(self, origin: Path, target: Path) -> None:
        files = [origin] if origin.is_file() else sorted(origin.rglob("*"))
        for file in files:
            path = file.relative_to(ROOT).as_posix()
            if not file.is_file() or not let_through(path, self._rules):
                continue
            inside = file.name if origin.is_file() else file.relative_to(origin)
            (target / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target / inside)


def main() -> int:
    """Build in a temporary folder, and run what was built as a container would."""
    with tempfile.TemporaryDirectory(prefix="batchsched-image-") as name:
        builder = Builder(Path(name))
        builder.build(DOCKERFILE.read_text(encoding="utf-8"))
        program = str(builder.root / "opt/batchsched/bin/batchsched")
        here = builder.root / "tmp"
        print(builder.run([program, "--version"], here), end="")
        for configuration in CONFIGURATIONS:
            check = [program, "run", "--check-config", f"--config={ROOT / configuration}"]
            print(builder.run(check, here), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
