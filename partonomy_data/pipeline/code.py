"""The version of the code as a digest: what was made by other code is made again."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

#: Libraries whose version can change the bytes that are written.
_LIBRARIES = ("numpy", "pillow", "pyarrow", "pycocotools", "scipy", "simplemma", "inflect")
_SUFFIXES = {".py", ".yaml", ".tsv", ".txt", ".json"}


@cache
def code_digest() -> str:
    """Digest of this package's files and of the versions of the libraries that its output depends on."""
    state = blake2b(digest_size=16)
    for package in ("partonomy_data", "schemas"):
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        base = Path(spec.origin).parent
        # The demo world is a source like any other: its drawing code decides nothing that is done with it.
        for path in sorted(p for p in base.rglob("*") if p.suffix in _SUFFIXES and "demo" not in p.parts):
            state.update(path.relative_to(base).as_posix().encode())
            state.update(path.read_bytes())
    for library in _LIBRARIES:
        state.update(f"{library}={version(library)};".encode())
    return state.hexdigest()


def tool_version() -> str:
    """The version of this package."""
    try:
        return version("partonomy-data")
    except PackageNotFoundError:
        return "0+unknown"
