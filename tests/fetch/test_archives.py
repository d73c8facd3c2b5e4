"""Archives that nobody vouches for are unpacked without harm, or not at all."""

from __future__ import annotations

import gzip
import io
import stat
import struct
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import hypothesis
import hypothesis.strategies as some
import pytest

from partonomy_data.fetch import archives
from partonomy_data.fetch.meter import Meter
from partonomy_data.fetch.space import FetchError
from partonomy_data.pipeline.progress import Silent
from tests.fetch.conftest import Site, zipped

ESCAPES = ["../evil", "a/../../evil", "/evil", "C:/evil", "a\\..\\..\\evil", "a/\x01evil", " /evil"]


def tarred(members: Mapping[str, bytes], mode: str = "w:gz") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def tar_entry(**fields: object) -> bytes:
    """A tar with one good file and one entry with these fields."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("good"))
        entry = tarfile.TarInfo("evil")
        for name, value in fields.items():
            setattr(entry, name, value)
        archive.addfile(entry)
    return made.getvalue()


def unpacked(content: bytes, name: str, folder: Path, *, nested: bool = False) -> dict[str, bytes]:
    """The files that an archive is unpacked to in `folder/out`."""
    archive, out = folder / "archive", folder / "out"
    archive.write_bytes(content)
    archives.unpack(archive, name, out, Meter(Silent()), nested=nested)
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def refused(content: bytes, name: str, folder: Path, reason: str) -> None:
    """It is refused for that reason in one line, and nothing lies outside of its folder."""
    with pytest.raises(FetchError, match=reason) as raised:
        unpacked(content, name, folder)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(name)
    assert {path.name for path in folder.iterdir()} == {"archive", "out"}
    assert not any(path.is_symlink() for path in folder.rglob("*"))


@pytest.mark.parametrize("name", ESCAPES)
def test_members_that_would_leave_the_folder_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "zip").mkdir()
    (tmp_path / "tar").mkdir()
    refused(zipped({"good": b"", name: b"evil"}), "a.zip", tmp_path / "zip", "may not be unpacked")
    refused(tarred({"good": b"", name: b"evil"}), "a.tar.gz", tmp_path / "tar", "may not be unpacked")


def test_a_name_that_ends_at_a_nul_is_refused(tmp_path: Path) -> None:
    content = zipped({"evil_x": b"evil"}).replace(b"evil_x", b"evil\0x")
    refused(content, "a.zip", tmp_path, "may not be unpacked")


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc")
        archive.writestr("link/passwd", b"evil")
    refused(made.getvalue(), "a.zip", tmp_path, "'link' is a link or no file")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(kind: bytes, tmp_path: Path) -> None:
    refused(tar_entry(type=kind, linkname="good"), "a.tar", tmp_path, "'evil' is a link or no file")


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 3 << 30
    refused(
        gzip.compress(header.tobuf() + bytes(10240)), "a.tar.gz", tmp_path, r"it is damaged \(a header of 3\.2 GB\)"
    )


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    content = bytearray(zipped({"a": b"text"}))
    central = content.index(b"PK\x01\x02")
    content[6] |= 1
    content[central + 8] |= 1
    refused(bytes(content), "a.zip", tmp_path, "'a' is encrypted")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_what_grows_beyond_belief_is_refused(kind: str, tmp_path: Path) -> None:
    zeros = bytes(70 << 20)
    content = zipped({"zeros": zeros}) if kind == "zip" else tarred({"zeros": zeros})
    assert len(content) < 100_000
    refused(content, f"a.{kind}", tmp_path, "unpacks to more than such a file can hold")
    assert not list((tmp_path / "out").iterdir()), "not a byte was written"


def test_many_members_that_grow_together_beyond_belief_are_refused(tmp_path: Path) -> None:
    inner = zipped({"zeros": bytes(40 << 20)})
    outer = zipped({"a.zip": inner, "b.zip": inner})
    with pytest.raises(FetchError, match="unpacks to more than such a file can hold"):
        unpacked(outer, "outer.zip", tmp_path, nested=True)


def test_a_member_that_states_less_than_it_holds_is_refused(tmp_path: Path) -> None:
    content = bytearray(zipped({"a": b"0123456789" * 100}))
    central = content.index(b"PK\x01\x02")
    struct.pack_into("<I", content, 22, 10)
    struct.pack_into("<I", content, central + 24, 10)
    refused(bytes(content), "a.zip", tmp_path, "it is damaged")
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) <= 10


def test_damaged_archives_are_said_to_be(tmp_path: Path) -> None:
    good = {"a.zip": zipped({"a": bytes(range(256)) * 99}), "a.tar.gz": tarred({"a": bytes(range(256)) * 99})}
    for name, content in good.items():
        half, altered = content[: len(content) // 2], bytearray(content)
        altered[len(altered) // 3] ^= 255
        for number, damaged in enumerate((b"", b"<html>not found</html>", half, bytes(altered))):
            folder = tmp_path / f"{name}-{number}"
            folder.mkdir()
            refused(damaged, name, folder, "it is damaged")


def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a", b"one")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a", b"two")
    refused(made.getvalue(), "a.zip", tmp_path, "it holds 'a' twice")


def test_what_macos_adds_is_left_out(tmp_path: Path) -> None:
    members = {"top/a": b"a", "__MACOSX/top/._a": b"", "top/._a": b"", "top/.DS_Store": b"", "top/._b.png": b""}
    for kind, content in (("zip", zipped(members)), ("tar", tarred(members, "w"))):
        (tmp_path / kind).mkdir()
        assert unpacked(content, f"a.{kind}", tmp_path / kind) == {"top/a": b"a"}


def test_zips_in_a_zip_are_unpacked_where_they_lie(tmp_path: Path) -> None:
    inner = zipped({"test/n1/n1_1.JPEG": b"photograph"})
    outer = zipped({"top/test.zip": inner, "top/test.json": b"{}"})
    found = unpacked(outer, "outer.zip", tmp_path, nested=True)
    assert found == {"top/test/n1/n1_1.JPEG": b"photograph", "top/test.json": b"{}"}


def test_a_single_folder_around_all_of_it_is_left_out_where_the_catalogue_says_so(site: Site) -> None:
    site.serve("thing.zip", zipped({"PartImageNet/train.json": b"{}", "__MACOSX/._PartImageNet": b""}))
    site.fetch("thing.zip", into="Here", top_left_out=True)
    assert site.tree() == {"Here/train.json": b"{}"}


def test_an_archive_that_is_refused_leaves_nothing_in_the_dataset(site: Site) -> None:
    site.serve("thing.zip", zipped({"good": b"good", "../evil": b"evil"}))
    with pytest.raises(FetchError, match="may not be unpacked"):
        site.fetch("thing.zip")
    assert site.tree() == {}
    assert not site.beside("thing.zip.unpacking").exists()
    assert not site.beside("thing.zip.json").exists()


def test_a_page_instead_of_the_file_is_not_gone_on_with(site: Site) -> None:
    served = site.serve("thing.zip", b"<html>Please log in</html>")
    with pytest.raises(FetchError, match=r"it is damaged \(File is not a zip file\).*set aside as .*thing\.zip\.bad"):
        site.fetch("thing.zip", checked=False)
    served.content = zipped({"a": b"a"})
    site.fetch("thing.zip", checked=False)
    assert site.tree() == {"a": b"a"}


NAMES = some.text(some.sampled_from("abcé.-_ 0"), min_size=1, max_size=6).filter(
    lambda name: name.strip(" ") == name and name.strip(".") and not name.startswith("._") and name != ".DS_Store"
)
TREES = some.dictionaries(
    NAMES, some.dictionaries(NAMES, some.binary(max_size=200), min_size=1, max_size=3), max_size=4
)


@hypothesis.given(TREES, some.sampled_from(["zip", "tar", "tar.gz", "tgz"]))
def test_what_is_packed_is_what_is_unpacked(tree: dict[str, dict[str, bytes]], kind: str) -> None:
    members = {f"{folder}/{name}": content for folder, inner in tree.items() for name, content in inner.items()}
    content = zipped(members) if kind == "zip" else tarred(members, "w" if kind == "tar" else "w:gz")
    with tempfile.TemporaryDirectory() as folder:
        assert unpacked(content, f"a.{kind}", Path(folder)) == members


def test_gzip_that_is_no_tar_is_refused(tmp_path: Path) -> None:
    refused(gzip.compress(b"hello"), "a.tar.gz", tmp_path, "it is damaged")


def test_a_damaged_lzma_member_is_said_to_be(tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a", bytes(range(256)) * 99)
    damaged = bytearray(made.getvalue())
    damaged[45] ^= 255
    refused(bytes(damaged), "a.zip", tmp_path, "it is damaged")
