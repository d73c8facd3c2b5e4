"""The command: which store, at which address."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

from partonomy_data.errors import UsageError


def serve(
    root: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    images: Mapping[str, str] | None = None,
    any_host: bool = False,
) -> None:
    """Shows the store at `root` under http://host:port/ until it is interrupted.

    `images`: folders of photographs by source, where they lie elsewhere than in the build. Other addresses than this
    machine's own need `any_host`: whoever reaches the server sees the whole store. Raises UsageError: there is no store,
    the address can't be used, or the extra `explore` isn't installed.
    """
    try:
        import uvicorn

        from partonomy_data.explore.application import application
        from partonomy_data.explore.guarding import is_loopback
    except ImportError as error:
        raise UsageError(
            f"the explorer needs {error.name}", mend="pip install 'partonomy-data[explore]', or `make setup`"
        ) from error
    if not is_loopback(host) and not any_host:
        raise UsageError(
            f"{host} is no address of this machine alone: whoever reaches it would see the whole store",
            where="--host",
            mend="Say --public as well if that is what you want",
        )
    with _listening(host, port) as listening:
        app = application(root, images=images or {}, hosts=(host,))
        shown = f"[{host}]" if ":" in host else host
        print(f"http://{shown}:{listening.getsockname()[1]}/ shows {root}; Ctrl-C ends it", flush=True)
        settings = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
        uvicorn.Server(settings).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens there. Taken before anything is opened, so that a taken port is told at once."""
    if not 0 <= port <= 65_535:
        raise UsageError(f"there is no port {port}", where="--port", mend="Choose one from 0 (any) to 65535")
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise UsageError(
            f"can't be listened at ({error.strerror})", where=f"{host}:{port}", mend="Choose another with --port"
        ) from error
