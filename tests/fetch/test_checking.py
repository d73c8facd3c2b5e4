"""What was downloaded is what it should be, or it isn't used; what is there is left alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from partonomy_data.errors import UsageError
from partonomy_data.fetch.job import fetch
from partonomy_data.fetch.space import FetchError
from partonomy_data.sources import listing
from tests.fetch.conftest import CONTENT, LICENCE, Site, sha256, zipped

MEMBERS = {"annotations/a.json": b"{}", "photographs/1.jpg": b"one", "photographs/2.jpg": b"two"}


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_a_wrong_checksum_is_said_and_the_file_set_aside(site: Site, kind: str) -> None:
    archive = zipped(MEMBERS)
    site.serve("thing.zip", archive)
    wrong = hashlib.new(kind, b"something else").hexdigest()
    right = hashlib.new(kind, archive).hexdigest()
    with pytest.raises(FetchError, match=rf"its {kind} is {right}, and {wrong} is known .*not used") as raised:
        site.fetch("thing.zip", **{kind: wrong})
    assert "\n" not in str(raised.value)
    assert site.tree() == {}
    assert site.beside("thing.zip.bad").read_bytes() == archive
    assert not site.beside("thing.zip.part").exists()
    site.fetch("thing.zip", **{kind: right})
    assert site.tree() == MEMBERS
    assert site.server.starts == [None, None], "a file that was set aside is not gone on with"


def test_the_first_download_is_recorded_where_nobody_states_a_checksum(site: Site) -> None:
    site.serve("thing.zip", zipped(MEMBERS))
    (done,) = site.fetch("thing.zip", checked=False).files
    assert (done.new, done.record.vouched_by) == (True, "first download")
    record = json.loads(site.beside("thing.zip.json").read_text())
    assert record["sha256"] == sha256(zipped(MEMBERS))
    assert (record["url"], record["n_files"], record["n_bytes"]) == (f"{site.server.url}/thing.zip", 3, 8)
    assert site.beside("thing.zip.files").read_text().splitlines()[1] == "3\tphotographs/1.jpg"


def test_a_later_download_that_differs_is_refused_until_the_record_is_deleted(site: Site) -> None:
    served = site.serve("thing.zip", zipped(MEMBERS))
    site.fetch("thing.zip", checked=False)
    (site.home / "photographs/1.jpg").unlink()
    served.content = zipped({**MEMBERS, "photographs/1.jpg": b"another"})
    with pytest.raises(FetchError, match=rf"on \d{{4}}-\d\d-\d\d it was {sha256(zipped(MEMBERS))}.*delete .*zip.json"):
        site.fetch("thing.zip", checked=False)
    assert "photographs/1.jpg" not in site.tree()
    site.beside("thing.zip.json").unlink()
    site.fetch("thing.zip", checked=False)
    assert site.tree()["photographs/1.jpg"] == b"another"


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_bytes(b"longer")])
def test_files_that_are_gone_or_changed_are_fetched_anew(site: Site, change: Callable[[Path], object]) -> None:
    site.serve("thing.zip", zipped(MEMBERS))
    site.fetch("thing.zip")
    change(site.home / "photographs/2.jpg")
    (done,) = site.fetch("thing.zip").files
    assert done.new
    assert site.tree() == MEMBERS


def test_a_second_fetch_asks_nothing_and_writes_nothing(site: Site) -> None:
    site.serve("thing.zip", zipped(MEMBERS))
    site.fetch("thing.zip")
    before, asked = listing.listing(site.home), len(site.server.asked)
    (done,) = site.fetch("thing.zip").files
    assert not done.new
    assert len(site.server.asked) == asked
    assert listing.listing(site.home).equals(before), "a refresh of a store would take it for changed"


def test_the_download_is_removed_once_it_is_unpacked(site: Site) -> None:
    site.serve("thing.zip", zipped(MEMBERS))
    site.fetch("thing.zip")
    left = sorted(path.name for path in site.beside("").iterdir())
    assert left == ["licences.json", "lock", "thing.zip.files", "thing.zip.json"]


def test_a_run_that_stopped_just_before_the_record_does_no_harm(site: Site) -> None:
    site.serve("thing.zip", zipped(MEMBERS))
    site.fetch("thing.zip")
    for name in ("thing.zip.json", "thing.zip.files"):
        site.beside(name).unlink()
    site.fetch("thing.zip")
    assert site.tree() == MEMBERS


def test_what_a_killed_run_left_of_unpacking_is_not_used(site: Site) -> None:
    site.serve("thing.zip", zipped(MEMBERS))
    left = site.beside("thing.zip.unpacking") / "photographs"
    left.mkdir(parents=True)
    (left / "3.jpg").write_bytes(b"half a photo")
    site.fetch("thing.zip")
    assert site.tree() == MEMBERS


def test_a_download_that_was_left_after_its_record_is_removed(site: Site) -> None:
    site.serve("thing.zip", zipped(MEMBERS))
    site.fetch("thing.zip")
    site.beside("thing.zip.part").write_bytes(b"as large as a disk")
    (done,) = site.fetch("thing.zip").files
    assert not done.new
    assert not site.beside("thing.zip.part").exists()


def test_other_files_of_the_same_name_are_not_overwritten(site: Site) -> None:
    site.serve("thing.zip", zipped(MEMBERS))
    (site.home / "photographs").mkdir(parents=True)
    (site.home / "photographs/2.jpg").write_bytes(b"my own")
    with pytest.raises(FetchError, match=r"photographs/2.jpg: something else lies there already\. Move it away"):
        site.fetch("thing.zip")
    assert site.tree() == {"photographs/2.jpg": b"my own"}
    (site.home / "photographs/2.jpg").unlink()
    asked = len(site.server.asked)
    site.fetch("thing.zip")
    assert site.tree() == MEMBERS
    assert len(site.server.asked) == asked, "the download was kept"


def test_files_go_into_their_folder_beside_what_is_there(site: Site) -> None:
    site.serve("thing.zip", zipped({"b.json": b"b"}))
    (site.home / "deep/annotations").mkdir(parents=True)
    (site.home / "deep/annotations/a.json").write_bytes(b"a")
    site.fetch("thing.zip", into="deep/annotations")
    assert site.tree() == {"deep/annotations/a.json": b"a", "deep/annotations/b.json": b"b"}


def test_what_does_not_fit_is_not_begun(site: Site) -> None:
    site.serve("thing.zip", zipped(MEMBERS))
    with pytest.raises(FetchError, match=r"needs \d+ GB, and .* are free\. Free .* or name a folder on another disk"):
        site.fetch("thing.zip", about=10**17)
    assert site.server.asked == []


def test_what_turns_out_not_to_fit_is_not_downloaded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.serve("thing.zip", zipped({"a.bin": CONTENT}))
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": (64 << 20) + len(CONTENT)}))
    with pytest.raises(FetchError, match=r"the rest of thing.zip, with what is unpacked from it, needs 6\.4 MB"):
        site.fetch("thing.zip")
    assert not site.beside("thing.zip.part").exists()


def test_nothing_is_fetched_before_the_licence_is_accepted(site: Site) -> None:
    site.serve("thing.zip", zipped(MEMBERS))
    known = site.known("thing.zip")
    with pytest.raises(
        UsageError, match=r"licences of thing aren't accepted, and nothing was fetched.*--accept-licence"
    ):
        fetch("thing", site.home, known=known)
    with pytest.raises(UsageError, match="aren't accepted"):
        fetch("thing", site.home, known=known, ask=lambda _: False)
    assert site.server.asked == []
    fetch("thing", site.home, known=known, ask=lambda question: "accept" in question)
    record = json.loads(site.beside("licences.json").read_text())["thing"]
    assert (record["how"], record["licences"]) == ("asked", [f"{LICENCE.name}: {LICENCE.url}"])
    assert record["accepted_at"].endswith("+00:00")


def test_an_accepted_licence_is_not_asked_for_again_unless_its_terms_change(site: Site) -> None:
    site.serve("thing.zip", zipped(MEMBERS))
    site.fetch("thing.zip")
    known = site.known("thing.zip")
    fetch("thing", site.home, known=known)
    known["thing"].licences[0] = msgspec.structs.replace(LICENCE, terms="Pay.")
    with pytest.raises(UsageError, match="aren't accepted"):
        fetch("thing", site.home, known=known)


def test_a_mirror_stands_for_the_part_before_the_name(site: Site) -> None:
    site.serve("thing.zip", zipped(MEMBERS))
    base, site.server.url = site.server.url, "https://example.org/far/away"
    known = site.known("thing.zip")
    fetch("thing", site.home, known=known, base=f"{base}/", accept_licence=True)
    assert site.tree() == MEMBERS
    with pytest.raises(UsageError, match="no http or https address"):
        fetch("thing", site.home, known=known, base="/mnt/mirror", accept_licence=True)
