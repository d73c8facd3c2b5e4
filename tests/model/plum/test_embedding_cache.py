"""The cache of image embeddings: exact where it's warm, absent where it's damaged, safe for many processes."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import threading
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from model.plum import embedding_cache
from model.plum.embedding_cache import EmbeddingCache, encoder_key
from model.plum.segmenter import Segmenter
from partonomy_data.errors import PartonomyError
from tests.model.plum.sam_weights import SMALL, noise, small

KEY = "0123456789abcdef" * 4
fork = multiprocessing.get_context("fork")


def sha256(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


CAT, DOG, EEL = map(sha256, ("cat", "dog", "eel"))


def made(*numbers: int) -> Tensor:
    """Embeddings (n, 4, 3, 3), one for each number."""
    return torch.stack([noise(4, 3, 3, seed=number) for number in numbers])


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 2e-3), (torch.float32, 0.0)])
def test_what_is_kept_is_given_back_the_first_time_as_later(
    tmp_path: Path, dtype: torch.dtype, tolerance: float
) -> None:
    cache = EmbeddingCache(tmp_path, KEY, dtype=dtype)
    assert cache.get(CAT) is None
    kept = cache.put(CAT, made(1)[0])
    later = EmbeddingCache(tmp_path, KEY, dtype=dtype).get(CAT)
    assert later is not None
    assert kept.dtype == torch.float32
    assert torch.equal(kept, later)
    assert torch.allclose(kept, made(1)[0], atol=tolerance, rtol=0)


def test_only_what_is_missing_is_computed_and_each_photograph_once(tmp_path: Path) -> None:
    cache, asked = EmbeddingCache(tmp_path, KEY), []

    def compute(places: list[int]) -> Tensor:
        asked.append(places)
        return made(*places)

    first = cache.fetch([CAT, DOG, CAT], compute)
    second = cache.fetch([DOG, CAT, EEL], compute)
    assert asked == [[0, 1], [2]]
    assert torch.equal(first, made(0, 1, 0).half().float())
    assert torch.equal(second, made(1, 0, 2).half().float())
    assert torch.equal(cache.fetch([EEL, DOG, CAT], compute), second[[2, 0, 1]])
    assert len(asked) == 2


def test_each_view_of_a_photograph_has_its_own(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path, KEY)
    found = cache.fetch([CAT] * 3, lambda places: made(*places), ["", "crop 0 0 9 9", "crop 0 0 9 8"])
    assert not torch.equal(found[0], found[1])
    assert not torch.equal(found[1], found[2])
    for view, wanted in zip(("", "crop 0 0 9 9", "crop 0 0 9 8"), found, strict=True):
        again = cache.get(CAT, view)
        assert again is not None
        assert torch.equal(again, wanted)


def test_encoders_and_kinds_of_number_do_not_share(tmp_path: Path) -> None:
    EmbeddingCache(tmp_path, KEY).put(CAT, made(1)[0])
    assert EmbeddingCache(tmp_path, KEY[::-1]).get(CAT) is None
    assert EmbeddingCache(tmp_path, KEY, dtype=torch.float32).get(CAT) is None


def test_the_key_follows_all_that_an_embedding_depends_on_and_nothing_else() -> None:
    key = encoder_key(small())
    assert encoder_key(small()) == key
    others = [small(seed=1), small(SMALL), small(SMALL), small(SMALL)]
    with torch.no_grad():
        others[1].image_encoder.blocks[1].attn.proj.bias[3] += 1e-6
    others[2].pixel_mean += 1
    others[3].image_encoder.blocks[0].window_size = 0
    assert len({key, *map(encoder_key, others)}) == 5
    trained = small()
    with torch.no_grad():
        trained.mask_decoder.iou_token.weight += 1
    assert encoder_key(trained) == key
    assert encoder_key(small().to(torch.bfloat16)) != key


def test_a_segmenter_reads_from_it_what_it_would_compute(tmp_path: Path) -> None:
    segmenter, pixels = Segmenter(small()), noise(2, 3, SMALL.image_size, SMALL.image_size)
    cache = EmbeddingCache(tmp_path, encoder_key(segmenter.sam), dtype=torch.float32)
    found = cache.fetch([CAT, DOG], lambda places: segmenter.encode(pixels[places]))
    assert torch.equal(found, segmenter.encode(pixels))
    assert torch.equal(cache.fetch([DOG, CAT], lambda places: pytest.fail("it was there")), found[[1, 0]])


@given(st.data())
def test_a_file_that_is_cut_off_or_damaged_is_computed_again(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    cache = EmbeddingCache(tmp_path_factory.getbasetemp() / "damaged", KEY)
    kept = cache.put(CAT, made(1)[0])
    path = cache.path(CAT)
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        path.write_bytes(whole[:place])
    else:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ data.draw(st.integers(1, 255))]) + whole[place + 1 :])
    found = cache.get(CAT)
    # A flipped byte of blanks or of a name in the file's header may leave what it says as it was.
    assert found is None or torch.equal(found, kept)
    assert torch.equal(cache.fetch([CAT], lambda _: made(1))[0], kept)


def test_any_flipped_bit_of_the_numbers_is_found(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path, KEY)
    cache.put(CAT, made(1)[0])
    path, whole = cache.path(CAT), cache.path(CAT).read_bytes()
    for place in range(len(whole) - 80, len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert cache.get(CAT) is None


def _killed_before_the_rename(folder: Path) -> None:
    embedding_cache.os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
    EmbeddingCache(folder, KEY).put(CAT, made(1)[0])


def test_a_killed_writer_leaves_nothing_to_read_and_what_it_left_is_cleared_a_day_later(tmp_path: Path) -> None:
    writer = fork.Process(target=_killed_before_the_rename, args=(tmp_path,))
    writer.start()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    cache = EmbeddingCache(tmp_path, KEY)
    assert cache.get(CAT) is None
    (left,) = cache.folder.iterdir()
    os.utime(left, (0, 0))
    assert list(EmbeddingCache(tmp_path, KEY).folder.iterdir()) == []


def _many(folder: Path, bad: "multiprocessing.sharedctypes.Synchronized[int]") -> None:  # noqa: UP037
    cache = EmbeddingCache(folder, KEY)
    wanted = {photograph: made(i)[0].half().float() for i, photograph in enumerate((CAT, DOG, EEL))}
    for i in range(150):
        photograph = (CAT, DOG, EEL)[i % 3]
        if i % 2:
            cache.path(photograph).unlink(missing_ok=True)
        found = cache.fetch([photograph], lambda _, photograph=photograph: wanted[photograph][None])  # type: ignore[misc]
        if not torch.equal(found[0], wanted[photograph]):
            bad.value += 1


def test_processes_and_threads_that_write_and_read_the_same_photographs_see_whole_embeddings(tmp_path: Path) -> None:
    bad = fork.Value("i", 0)
    workers = [fork.Process(target=_many, args=(tmp_path, bad)) for _ in range(2)]
    for worker in workers:
        worker.start()
    threads = [threading.Thread(target=_many, args=(tmp_path, bad)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for each in (*workers, *threads):
        each.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert bad.value == 0
    assert not list(EmbeddingCache(tmp_path, KEY).folder.glob("*.tmp"))


def test_what_float16_cannot_hold_is_kept_in_float32_and_what_is_not_finite_is_not_kept(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path, KEY)
    large = made(1)[0] * 1e5
    assert torch.equal(cache.put(CAT, large), large)
    again = cache.get(CAT)
    assert again is not None
    assert torch.equal(again, large)
    with pytest.raises(PartonomyError, match="not finite"):
        cache.put(DOG, torch.full((4, 3, 3), torch.nan))
    assert cache.get(DOG) is None


def test_names_that_are_none_and_folders_that_cannot_be_are_refused(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path, KEY)
    for name in ("", "../" * 21 + "a", CAT.upper(), CAT + "\n"):
        with pytest.raises(PartonomyError, match="not the SHA-256"):
            cache.get(name)
    with pytest.raises(PartonomyError, match="not the key of an encoder"):
        EmbeddingCache(tmp_path, "vit_b")
    with pytest.raises(PartonomyError, match="float16 or float32"):
        EmbeddingCache(tmp_path, KEY, dtype=torch.int8)
    (tmp_path / "file").touch()
    with pytest.raises(PartonomyError, match="can't be used"):
        EmbeddingCache(tmp_path / "file", KEY)
    cache.path(CAT).mkdir()
    with pytest.raises(PartonomyError, match="can't be used"):
        cache.get(CAT)
    with pytest.raises(PartonomyError, match="can't be used"):
        cache.put(CAT, made(1)[0])
    assert not list(cache.folder.glob("*.tmp"))


def test_fewer_embeddings_than_asked_for_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PartonomyError, match="2 embeddings were asked for, and 1 came"):
        EmbeddingCache(tmp_path, KEY).fetch([CAT, DOG], lambda _: made(1))
