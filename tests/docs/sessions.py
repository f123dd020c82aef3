"""Loads docs/sessions.py for tests: docs/ is no package, and the script is tested as it is run."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

_SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "sessions.py"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_sessions", _SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look up the module of a class
    spec.loader.exec_module(module)
    return module


sessions = _load()
