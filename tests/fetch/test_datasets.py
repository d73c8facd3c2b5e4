"""The package's own catalogue, served from this machine with small files, gives what the real readers read."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from partonomy_data.demo import write_paco, write_partimagenet, write_pascal_part
from partonomy_data.demo.photographs import draw, jobs
from partonomy_data.fetch import catalogue
from partonomy_data.sources.base import SourceRequest, reader
from partonomy_data.sources.records import Photograph
from tests.fetch.conftest import Site, sha256, zipped
from tests.helpers.command import partonomy

#: Photographs drawn of each source.
FEW = 8
WRITERS = {
    "paco": (write_paco.encode, lambda folder: write_paco.PacoFiles(folder, 0)),
    "partimagenet": (write_partimagenet.encode, lambda folder: write_partimagenet.PartImageNetFiles(folder, 0)),
    "pascal_part": (write_pascal_part.encode, write_pascal_part.PascalPartFiles),
}


def draw_few(source: str, folder: Path) -> None:
    """Some photographs of the demo world in the source's format, as the demo writes them."""
    encode, files = WRITERS[source]
    joined = files(folder)
    for job in [job for job in jobs(0, 0, 300) if job.source == source][:FEW]:
        joined.add(encode(draw(job), folder))
    joined.close()


def contents(folder: Path, pattern: str, below: str = ".") -> dict[str, bytes]:
    """Files by their path within `folder/below`."""
    paths = [path for path in sorted(folder.glob(pattern)) if path.is_file()]
    return {path.relative_to(folder / below).as_posix(): path.read_bytes() for path in paths}


def tarred(members: Mapping[str, bytes], mode: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def archives_of_paco(folder: Path) -> dict[str, bytes]:
    return {
        "paco_lvis_v1.zip": zipped(contents(folder, "annotations/*.json", "annotations")),
        "train2017.zip": zipped(contents(folder, "train2017/*")),
        "val2017.zip": zipped(contents(folder, "val2017/*")),
    }


def archives_of_partimagenet(folder: Path) -> dict[str, bytes]:
    """A folder around all of it, and the photographs of each split in a zip of their own."""
    inner = {f"{split}.zip": zipped(contents(folder, f"{split}/**/*")) for split in ("train", "val", "test")}
    outer = {**contents(folder, "*.json"), **inner}
    around = {f"PartImageNet/{name}": content for name, content in outer.items()}
    return {"PartImageNet_OOD.zip": zipped({**around, "__MACOSX/PartImageNet/._train.json": b"junk"})}


def archives_of_pascal_part(folder: Path) -> dict[str, bytes]:
    voc = {**contents(folder, "JPEGImages/*"), **contents(folder, "ImageSets/**/*")}
    return {
        "trainval.tar.gz": tarred(contents(folder, "Annotations_Part/*"), "w:gz"),
        "VOCtrainval_03-May-2010.tar": tarred({f"VOCdevkit/VOC2010/{name}": one for name, one in voc.items()}, "w"),
    }


def with_checksums_of(site: Site, archives: Mapping[str, bytes], path: Path) -> Path:
    """The package's catalogue, served, but for the sizes and checksums, which are those of these small files."""
    entries = yaml.safe_load((Path(catalogue.__file__).parent / "catalogue.yaml").read_text(encoding="utf-8"))
    for source in entries.values():
        for entry in source["files"]:
            name = entry["url"].rsplit("/", 1)[-1]
            if name in archives:
                for key in ("size", "about", "md5"):
                    entry.pop(key, None)
                if "sha256" in entry or "checksum_from" in entry:
                    entry["sha256"] = sha256(archives[name])
                site.serve(name, archives[name], cuts=[1000])
    path.write_text(yaml.safe_dump(entries), encoding="utf-8")
    return path


def read(source: str, folder: Path, work: Path) -> dict[str, Photograph]:
    """What the real reader reads."""
    work.mkdir()
    plan = reader(source).plan(SourceRequest(source, folder), work)
    found = [one for shard in plan.shards for one in reader(source).read(shard)]
    return {one.image_id: one for one in found if isinstance(one, Photograph)}


@pytest.mark.parametrize(
    ("source", "pack"),
    [
        ("paco", archives_of_paco),
        ("partimagenet", archives_of_partimagenet),
        ("pascal_part", archives_of_pascal_part),
    ],
)
def test_what_is_fetched_is_read_by_the_real_reader(
    source: str, pack: Callable[[Path], dict[str, bytes]], site: Site, tmp_path: Path
) -> None:
    drawn, home = tmp_path / "drawn", tmp_path / "my data"
    draw_few(source, drawn)
    archives = pack(drawn)
    own = with_checksums_of(site, archives, tmp_path / "catalogue.yaml")
    command = ("fetch", source, "--to", home, "--from", site.server.url, "--catalogue", own, "--accept-licence")
    done = partonomy(*command)
    assert done.status == 0, done.err
    assert done.out.splitlines()[-1] == f"partonomy build --source '{source}={home}'"
    assert [line.partition(":")[0] for line in done.out.splitlines()[:-1]] == list(archives)
    for path in drawn.glob("LOC_synset_mapping.txt"):
        # The demo's classes are none of ImageNet's, whose names the reader knows.
        shutil.copy(path, home)
    fetched, wanted = read(source, home, tmp_path / "one"), read(source, drawn, tmp_path / "two")
    assert len(fetched) == FEW
    assert all(one.path is not None for one in fetched.values()), "a photograph wasn't found"
    for image_id, one in wanted.items():
        other = fetched[image_id]
        assert (other.objects, other.parts, other.split) == (one.objects, one.parts, one.split)
    asked = len(site.server.asked)
    again = partonomy(*command)
    assert (again.status, len(site.server.asked)) == (0, asked)
    assert again.out.count("is there already") == len(archives)
    assert partonomy("fetch", source, "--to", home, "--list").out.count("  is there\n") == len(archives)


def test_frames_of_ego4d_are_told_of_with_their_annotations(site: Site, tmp_path: Path) -> None:
    archives = {"paco_ego4d_v1.zip": zipped({"paco_ego4d_v1_val.json": b"{}"})}
    own = with_checksums_of(site, archives, tmp_path / "catalogue.yaml")
    command = ["fetch", "paco", "--to", tmp_path / "e", "--from", site.server.url, "--catalogue", own]
    command += ["--accept-licence", "--only", "paco_ego4d_v1.zip"]
    done = partonomy(*command)
    assert done.status == 0, done.err
    assert "by hand: the frames of PACO-EGO4D" in done.out
    assert f"mv /tmp/ego4d/v1/paco_frames {tmp_path / 'e'}/images" in done.out
    assert done.out.splitlines()[-1] == f"partonomy build --source paco={tmp_path / 'e'}"
    (tmp_path / "e" / "images").mkdir()
    (tmp_path / "e" / "images" / "000cd456_000024.jpeg").touch()
    assert "by hand" not in partonomy(*command).out
