"""Requests a second of the client against a server of known latency, beside one request at a time in the same run.

    python benchmarks/llm_throughput.py [--requests N] [--latency S] [--at-once N]

The server runs in a process of its own and answers each request after the same time. Ideal is what that time allows:
so many at once, one after the other. The client does all that it does in a build: packs, booking each reply on disk before
it is looked at, checks, judging. The baseline does the same with one request at a time, on a part of the requests.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from functools import lru_cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

#: Items in a request, as many as a purpose packs.
PACK = 20
#: One in so many requests is timed for the baseline.
BASELINE_SHARE = 32


@lru_cache
def _answer(items: int) -> bytes:
    """What the server says to a request of so many items; made once, as the client shares the processor with it."""
    answers = [{"n": n, "verdict": "plausible"} for n in range(1, items + 1)]
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": json.dumps({"answers": answers})},
    }
    usage = {"prompt_tokens": 400, "completion_tokens": 300, "total_tokens": 700}
    whole = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
    body = json.dumps(whole).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    return head + body


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, latency: float) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            asked = await reader.readexactly(length)
            await asyncio.sleep(latency)
            writer.write(_answer(asked.count(b'{\\"n\\": ')))  # each item's line begins so, as JSON within JSON
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _serve(latency: float) -> None:
    server = await asyncio.start_server(lambda r, w: _exchange(r, w, latency), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def seconds(endpoint: str, requests: int, at_once: int) -> float:
    """What the client takes for so many requests; all items must have been admitted.

    It has been asked before, so that imports and first connections, which a build has once, don't count.
    """
    from partonomy_data.llm.brief import Answered, Item
    from partonomy_data.llm.purposes.plausibility import BRIEF
    from partonomy_data.llm.session import client
    from partonomy_data.llm.settings import LlmSettings

    settings = LlmSettings(
        transport="openai", endpoint=endpoint, model="m", key_env="NO_SUCH_KEY", concurrency=at_once, pack=PACK
    )
    items = [Item(f"{n}", {"object": f"object {n}", "part": "wheel"}) for n in range((at_once + requests) * PACK)]
    with tempfile.TemporaryDirectory() as folder, client(Path(folder), settings) as asks:
        asks.ask(BRIEF, items[: at_once * PACK])
        begun = time.perf_counter()
        outcomes = asks.ask(BRIEF, items[at_once * PACK :])
        took = time.perf_counter() - begun
    if not all(isinstance(one, Answered) for one in outcomes.values()):
        raise SystemExit("some items have no answer")
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=3_200)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds that the server takes for an answer")
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(_serve(options.latency))
        return
    command = [sys.executable, __file__, "--serve", "--latency", str(options.latency)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        endpoint = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
        few = max(10, options.requests // BASELINE_SHARE)
        baseline = few / seconds(endpoint, few, 1)
        ours = options.requests / seconds(endpoint, options.requests, options.at_once)
        server.stdin.close()
    ideal = options.at_once / options.latency
    print(f"{'':<28}{'requests/s':>12}{'of ideal':>10}{'items/s':>10}")
    for name, rate, best in (
        (f"ideal, {options.at_once} at once", ideal, ideal),
        (f"the client, {options.at_once} at once", ours, ideal),
        ("one at a time", baseline, 1 / options.latency),
    ):
        print(f"{name:<28}{rate:>12.1f}{rate / best:>10.1%}{rate * PACK:>10,.0f}")


if __name__ == "__main__":
    main()
