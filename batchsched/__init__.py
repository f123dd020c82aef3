"""A batch scheduler for Kubernetes that decides for many pods at once.

Importing this package costs nothing: it names a version and imports no layer. What the layers are,
and which may import which, is written in `pyproject.toml` and checked by `make check`.
"""

__version__ = "0.1.0.dev0"
