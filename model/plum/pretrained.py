"""Models and processors of `transformers` from a folder or its hub: complete, or refused in one line, and without its noise."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError

from model.plum.errors import ModelError

#: What `transformers` raises for files that it can't use.
_UNUSABLE: Final = (
    OSError,
    ValueError,
    LookupError,
    ImportError,
    RuntimeError,
    TypeError,
    AttributeError,
    SafetensorError,
)


def load(name: str | Path, dtype: torch.dtype) -> tuple[Any, Any]:
    """A model with its weights and its processor, from a folder in the layout of `transformers` or a name of its hub.

    Raises ModelError for a folder that is missing, no vision-language model, damaged, or without all the weights: what is
    missing would be drawn at random.
    """
    from transformers import AutoModelForImageTextToText

    _check_name(name)
    try:
        with quiet():
            loaded: Any = AutoModelForImageTextToText.from_pretrained(
                name, dtype=dtype, attn_implementation="sdpa", output_loading_info=True
            )
            processor = _processor(name)
    except _UNUSABLE as error:
        raise _refusal(name, error) from error
    lmm, about = loaded
    missing = sorted(about["missing_keys"])
    if missing:
        named = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise ModelError(f"its files lack the weights {named}", where=str(name), mend="Get the whole model")
    return lmm, processor


def from_config(folder: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    """A model of the sizes that a folder's config.json names, and its processor. Raises ModelError.

    Its weights are whatever is in memory, and yet to be set: to draw 13 billion numbers, only to overwrite them, takes minutes.
    """
    from transformers import AutoConfig, AutoModelForImageTextToText

    _check_name(folder)
    try:
        with quiet():
            config = AutoConfig.from_pretrained(folder)
            with undrawn():
                lmm = AutoModelForImageTextToText.from_config(config, dtype=dtype, attn_implementation="sdpa")  # type: ignore[no-untyped-call]
            lmm.tie_weights()
            return lmm, _processor(folder)
    except _UNUSABLE as error:
        raise _refusal(folder, error) from error


@contextmanager
def undrawn() -> Iterator[None]:
    """Modules that are made here get no first weights."""
    from transformers.initialization import no_init_weights

    with no_init_weights():
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """Without the progress bars, the log and the warnings of `transformers`; its settings are then as they were."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from transformers import utils

    logging: Any = utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    downloads = not are_progress_bars_disabled()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(level)
            (logging.enable_progress_bar if bars else logging.disable_progress_bar)()
            (enable_progress_bars if downloads else disable_progress_bars)()


def _processor(name: str | Path) -> Any:
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(name)  # type: ignore[no-untyped-call]
    if any(getattr(processor, part, None) is None for part in ("tokenizer", "image_processor", "image_token")):
        raise ValueError(f"its processor, {type(processor).__name__}, is not one of text and images")
    return processor


def _check_name(name: str | Path) -> None:
    """A path that isn't there would be looked for in the hub, for a long time."""
    text = str(name)
    a_path = isinstance(name, Path) or text.startswith((".", "/", "~")) or text.count("/") > 1
    if a_path and not Path(name).is_dir():
        raise ModelError("there is no such folder", where=text, mend="Name the folder of a vision-language model")


def _refusal(name: str | Path, error: BaseException) -> ModelError:
    lines = str(error).strip().splitlines()
    return ModelError(
        f"no vision-language model can be loaded: {lines[0].strip() if lines else type(error).__name__}",
        where=str(name),
        mend="Give a folder with config.json, weights and processor, of a class that AutoModelForImageTextToText knows",
    )
