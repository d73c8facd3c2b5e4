"""What the names of models say, without the libraries that the models need: to load those takes seconds, and a baseline, a
model behind a server, or a plan has no use for them.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

#: What a name begins with that names a model of `transformers` as it is.
PREFIX: Final = "hf:"
#: Of such a model's weights.
DType = Literal["float32", "bfloat16", "float16"]

#: Between a model's name and what is done to it.
SIGN: Final = "--"
Kind = Literal["blank-image", "feedback-off", "feedback-shuffled", "half-cut", "likelihood-alone"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


def split(name: str) -> tuple[str, str]:
    """A model's name, and what is done to it, if anything: `plum-1f--blank-image`."""
    model, _, kind = name.rpartition(SIGN)
    return (model, kind) if kind in KINDS else (name, "")
