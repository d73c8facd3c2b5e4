"""The version of the code as a digest: what was made by other code is made again."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

#: Libraries whose version can change the bytes that are written.
_LIBRARIES = ("numpy", "pillow", "pyarrow", "pycocotools", "scipy")
_SUFFIXES = {".py", ".yaml", ".tsv", ".txt", ".json"}


@cache
def code_digest(reader_package: str = "partonomy_data") -> str:
    """Digest of the files of this package, and of the one that the reader comes from if it is a plug-in.

    The versions of the libraries that the output depends on are in it too.
    """
    state = blake2b(digest_size=16)
    for package in sorted({"partonomy_data", "schemas", reader_package}):
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        base = Path(spec.origin).parent
        if not spec.submodule_search_locations:  # a plug-in that is one module
            state.update(Path(spec.origin).read_bytes())
            continue
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
