"""Image embeddings on disk: a frozen encoder sees each photograph once, however many epochs and processes there are.

A file is in the safetensors format and holds the embedding and a CRC-32 of it. It is written beside and renamed, so that a
reader sees all of it or nothing. It isn't forced to disk, as it can be computed again: what a crash of the machine leaves,
and any other damage, fails the check and counts as absent.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from segment_anything.modeling import Sam
from torch import Tensor

from model.plum.errors import ModelError

_HEX: Final = re.compile(r"[0-9a-f]{64}")
#: A file that is being written is finished within seconds; after a day it is what a killed process left.
_SECONDS_UNTIL_LEFT: Final = 24 * 3600.0
#: Changed when photographs are prepared in another way, so that the embeddings of the old way are not used.
_PREPARATION: Final = 1


def encoder_key(sam: Sam) -> str:
    """Hex SHA-256 of all that an image embedding depends on beside the photograph: what names a cache.

    That is the encoder's weights, wherever they are, its windows, its image size, and the scale of its pixels.
    """
    encoder = sam.image_encoder
    windows = [block.window_size for block in getattr(encoder, "blocks", ())]
    digest = hashlib.sha256(repr((_PREPARATION, encoder.img_size, windows)).encode())
    scale = {"pixel_mean": sam.pixel_mean, "pixel_std": sam.pixel_std}
    for name, weight in sorted({**encoder.state_dict(), **scale}.items()):
        digest.update(f"{name} {_described(weight)}\n".encode())
        digest.update(_bytes_of(weight))
    return digest.hexdigest()


class EmbeddingCache:
    """A folder of image embeddings, of one encoder (`key`), each named by its photograph. Many processes may share it.

    An embedding is rounded to `dtype`, float16 or float32, and that is what is given back, the first time as later: whether
    the cache was warm never changes a result. One that float16 can't hold is kept in float32.
    """

    def __init__(self, folder: Path, key: str, *, dtype: torch.dtype = torch.float16) -> None:
        """`key` is `encoder_key(sam)`. The folder is made. Raises ModelError where that can't be, or for another `dtype`."""
        if dtype not in (torch.float16, torch.float32):
            raise ModelError(f"embeddings are kept in float16 or float32, not {dtype}")
        if not _HEX.fullmatch(key):
            raise ModelError(f"{key!r} is not the key of an encoder", mend="Give `encoder_key(sam)`")
        self.dtype = dtype
        self.folder = folder / f"{key[:32]}-{'16' if dtype == torch.float16 else '32'}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for path in self.folder.glob("*.tmp"):
                _remove_if_left(path)
        except OSError as error:
            raise _unusable(self.folder, error) from error

    def path(self, photograph: str, view: str = "") -> Path:
        """Where the embedding of a photograph is kept; see `get`."""
        if not _HEX.fullmatch(photograph):
            raise ModelError(f"{photograph!r} is not the SHA-256 of a photograph", mend="Give 64 hexadecimal digits")
        suffix = f"-{hashlib.sha256(view.encode()).hexdigest()[:16]}" if view else ""
        return self.folder / f"{photograph}{suffix}.safetensors"

    def get(self, photograph: str, view: str = "") -> Tensor | None:
        """The embedding float32 (C, h, w) of a photograph; None where there is none, or a damaged one.

        `photograph` is the hex SHA-256 of its file. `view` says what else was done to it before it was prepared, in any words
        (as `crop 10 20 300 200`): each view has an embedding of its own. Raises ModelError where the file can't be read.
        """
        path = self.path(photograph, view)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(path, error) from error
        try:
            stored = load(content)
            embedding = stored["embedding"]
            sound = int(stored["crc32"]) == _checksum(embedding)
        except (SafetensorError, LookupError, ValueError, RuntimeError):
            return None
        return embedding.float() if sound else None

    def put(self, photograph: str, embedding: Tensor, view: str = "") -> Tensor:
        """Keeps the embedding (C, h, w) of a photograph, and gives it as `get` will. Raises ModelError if it isn't finite."""
        path = self.path(photograph, view)
        if not torch.isfinite(embedding).all():
            raise ModelError(
                f"the embedding of photograph {photograph} is not finite", mend="Check the encoder's weights"
            )
        exact = embedding.detach().cpu().float().contiguous()
        kept = exact.to(self.dtype)
        kept = kept if torch.isfinite(kept).all() else exact
        content = save({"embedding": kept, "crc32": torch.tensor(_checksum(kept))})
        aside = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
        try:
            try:
                aside.write_bytes(content)
                os.replace(aside, path)
            finally:
                aside.unlink(missing_ok=True)
        except OSError as error:
            raise _unusable(path, error) from error
        return kept.float()

    def fetch(
        self, photographs: Sequence[str], compute: Callable[[list[int]], Tensor], views: Sequence[str] | None = None
    ) -> Tensor:
        """Embeddings float32 (I, C, h, w) on the CPU of I photographs, at least one, of which some may be the same.

        `compute` is called once, with the places in `photographs` of those that are missing, and gives theirs (M, C, h, w).
        """
        names = list(zip(photographs, views or [""] * len(photographs), strict=True))
        found = {name: self.get(*name) for name in dict.fromkeys(names)}
        missing = [name for name, embedding in found.items() if embedding is None]
        if missing:
            computed = compute([names.index(name) for name in missing])
            if len(computed) != len(missing):
                raise ModelError(f"{len(missing)} embeddings were asked for, and {len(computed)} came")
            for (photograph, view), embedding in zip(missing, computed, strict=True):
                found[photograph, view] = self.put(photograph, embedding, view)
        return torch.stack([embedding for name in names if (embedding := found[name]) is not None])


def _described(tensor: Tensor) -> str:
    return f"{tensor.dtype} {tuple(tensor.shape)}"


def _bytes_of(tensor: Tensor) -> memoryview:
    """A tensor's values as they are in memory."""
    plain: memoryview = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
    return plain


def _checksum(tensor: Tensor) -> int:
    """CRC-32 of a tensor's kind, shape and values."""
    return zlib.crc32(_bytes_of(tensor), zlib.crc32(_described(tensor).encode()))


def _remove_if_left(path: Path) -> None:
    # It is gone where its writer has just finished, or another process has removed it.
    with suppress(FileNotFoundError):
        if time.time() - path.stat().st_mtime > _SECONDS_UNTIL_LEFT:
            path.unlink()


def _unusable(path: Path, error: OSError) -> ModelError:
    return ModelError(
        f"the cache of image embeddings can't be used ({error.strerror})",
        where=str(path),
        mend="Mend that, name another folder, or do without the cache",
    )
