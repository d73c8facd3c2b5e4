"""Processes that query a store all the time, and stop at the first answer that is none of the known versions'."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import partonomy_data

#: Sums over tables: an answer that two versions don't share, and that rows of both would not give.
SUMS = (
    "SELECT (SELECT count(*) FROM images), (SELECT sum(area)::BIGINT FROM objects), (SELECT sum(area)::BIGINT FROM parts),"
    " (SELECT bit_xor(hash(part_id, mask.counts)) FROM parts), (SELECT bit_xor(hash(question_id, choices)) FROM questions)"
)
READ = """
import json, os, select, sys
import duckdb
import partonomy_data
os.nice(19)  # they are there all the time, but don't take the machine from what is tested
root, sums, known = json.loads(sys.argv[1])
counts = dict.fromkeys(["opened", "catalog", "pruned"], 0)

def check(way, version, answer):
    if known.get(version) != answer:
        raise SystemExit(f"{way}: version {version} answers {answer}, not {known.get(version)}")
    counts[way] += 1

def opened():
    with partonomy_data.open(root) as store:
        check("opened", store.version, list(store.sql(sums).fetchall()[0]))

def catalog():
    with duckdb.connect(f"{root}/catalog.duckdb", read_only=True, config={"threads": 1}) as connection:
        version = connection.sql("SELECT version FROM current_version").fetchall()[0][0]
        try:
            answer = list(connection.sql(sums).fetchall()[0])
        except duckdb.IOException as error:
            # Who reads past the library holds no lock: a prune may take the version that it has opened.
            if f"versions/{version}/" not in str(error):
                raise
            counts["pruned"] += 1
            return
        check("catalog", version, answer)

while True:
    asked = select.select([0], [], [], 0)[0]
    if asked and not sys.stdin.readline():
        break
    opened()
    catalog()
    if asked:
        print(json.dumps(counts), flush=True)
"""


def answers(*roots: Path) -> dict[str, list[Any]]:
    """Version → its answer to SUMS, of all versions of some stores."""
    known = {}
    for root in roots:
        for info in partonomy_data.versions(root):
            with partonomy_data.open(root, info.version) as store:
                known[info.version] = list(store.sql(SUMS).fetchall()[0])
    return known


class Readers:
    """Processes that read `root`, by the library and by its catalog in turn."""

    def __init__(self, root: Path, known: dict[str, list[Any]], count: int) -> None:
        command = [sys.executable, "-c", READ, json.dumps([str(root), SUMS, known])]
        pipe = subprocess.PIPE
        self.processes = [
            subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True)
            for _ in range(count)
        ]

    def answer(self) -> Counter[str]:
        """Has each read the store once more, and returns how many answers there were so far, by the way they were had.

        Fails if one of them has met anything that it should not.
        """
        counts: Counter[str] = Counter()
        for process in self.processes:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write("\n")
                process.stdin.flush()
            except BrokenPipeError:
                raise AssertionError(f"a reader has ended: {process.stdout.read()}") from None
        for process in self.processes:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("{"), f"a reader has ended: {line}{process.stdout.read()}"
            counts.update(json.loads(line))
        return counts

    def close(self) -> None:
        """Ends them."""
        for process in self.processes:
            process.kill()
            process.communicate()


@contextmanager
def reading(root: Path, known: dict[str, list[Any]], count: int = 2) -> Iterator[Readers]:
    """Readers meanwhile; none may have met anything that it should not, and each reads once more at the end."""
    readers = Readers(root, known, count)
    try:
        readers.answer()
        yield readers
        readers.answer()
    finally:
        readers.close()
