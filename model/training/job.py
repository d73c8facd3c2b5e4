"""From a store and settings to a model in the store: resumable, and the same model however often it was interrupted."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, DistributedType
from torch import Tensor

from model import settings
from model.data import rows
from model.data.collate import Collator
from model.data.order import Effective
from model.data.rows import Rows
from model.data.samples import Sample, sample_of
from model.plum import saving
from model.plum.errors import ModelError
from model.plum.model import Plum
from model.plum.segmenter import EmbeddingCache, encoder_key
from model.together import together
from model.training import checkpoints, loop, measuring, publishing
from model.training.config import TrainingConfig
from model.training.feeding import Feed
from model.training.records import Records, check_trackers
from partonomy_data.photographs.places import SETTING, Photographs, of_store
from partonomy_data.store.layout import Layout
from partonomy_data.store.reader import Store
from partonomy_data.store.reader import open as open_store


def model_id(config: TrainingConfig, version: str) -> str:
    """`plum-` and 12 hex digits, by the settings and the data's version: training them again gives the model that is there."""
    told = repr((settings.digest(config), version))
    return f"plum-{hashlib.sha256(told.encode()).hexdigest()[:12]}"


def train(
    root: Path,
    config: TrainingConfig,
    *,
    version: str | None = None,
    out: Path | None = None,
    quiet: bool = False,
    measured: Callable[[int, dict[str, float]], None] | None = None,
) -> Path:
    """Trains on a version of the store (the current one), and returns the model's folder: `out`, else in the store's `models`.

    A model that is there already is not trained again; a run that was killed goes on from its last checkpoint. Raises ModelError,
    also where `out` holds a model of other settings or of another version.
    """
    config = config.checked()
    check_trackers(config.trackers)
    layout = Layout(root.expanduser().absolute())
    with open_store(layout.root, version) as store:
        name = model_id(config, store.version)
        final = out if out is not None else layout.models / name
        if publishing.is_there(final, config, store.version):
            return final
        folder = (final.parent / f".{final.name}.run") if out is not None else layout.work / "training" / name
        accelerator = Accelerator(
            mixed_precision="bf16" if config.optimisation.precision == "bf16" else "no",
            log_with=list(config.trackers) or None,
            project_dir=str(folder),
            # An answer without spans gives the mask decoder nothing to learn.
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
        )
        _refuse_cut_weights(accelerator.distributed_type)
        with warnings.catch_warnings():
            # Gradients of convolutions channel by channel, which torch lays out in another way than it expects: a small copy.
            warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides", UserWarning)
            _train(store, layout, config, accelerator, folder, final, quiet=quiet, measured=measured)
        accelerator.wait_for_everyone()
        accelerator.end_training()
        return final


def train_together(
    root: Path,
    config: TrainingConfig,
    processes: int,
    *,
    version: str | None = None,
    out: Path | None = None,
    quiet: bool = False,
) -> Path:
    """As `train`, by so many processes of this machine. On small models on a processor that takes less time than as many threads.

    `optimisation.batch` is dealt to them. Raises ModelError; where one process fails, the others end.
    """
    if processes > 1 and not _is_there(root, config, version, out):
        # Refused before any process is started.
        Effective.dealt(config.optimisation.batch, config.optimisation.at_once, processes)
        together(partial(train, root, config, version=version, out=out, quiet=quiet), (), processes)
    return train(root, config, version=version, out=out, quiet=quiet)  # what is there isn't trained again


def _is_there(root: Path, config: TrainingConfig, version: str | None, out: Path | None) -> bool:
    layout = Layout(root.expanduser().absolute())
    with open_store(layout.root, version) as store:
        folder = out if out is not None else layout.models / model_id(config, store.version)
        return publishing.is_there(folder, config, store.version)


def _refuse_cut_weights(kind: DistributedType) -> None:
    """Raises ModelError where each process holds pieces of the weights: none of them could write a checkpoint, or the model."""
    if kind in (DistributedType.FSDP, DistributedType.DEEPSPEED):
        raise ModelError(
            f"accelerate is told to cut the weights over processes ({kind.value}), and checkpoints of pieces aren't written",
            mend="Choose several GPUs without it by `accelerate config`; `--dry-run` says what each has to hold",
        )


def _train(
    store: Store,
    layout: Layout,
    config: TrainingConfig,
    accelerator: Accelerator,
    folder: Path,
    final: Path,
    *,
    quiet: bool,
    measured: Callable[[int, dict[str, float]], None] | None,
) -> None:
    torch.manual_seed(config.seed)
    plum = saving.build(config.model)
    state = _run(store, layout, config, accelerator, plum, folder)
    found = checkpoints.latest(state.folder)
    start = loop.restore(state, found) if found is not None else 0
    validation = _validation(store, layout, config)
    collator = Collator(plum, config.data.longest)

    def measure() -> dict[str, float]:
        team = accelerator.process_index, accelerator.num_processes
        values = measuring.measure(plum, validation, collator, config.optimisation.at_once, team)
        if measured is not None:
            measured(start, values)
        return values

    if accelerator.is_main_process and config.trackers:
        accelerator.init_trackers("partonomy")
    log = folder / "training.jsonl"
    with Records(accelerator, log, state.steps, start, quiet=quiet) as records:
        for line in state.feed.left_out:
            records.note(line)
        done = loop.run(state, records, start, measure if validation else None)
        for sample, why in sorted(state.left_out.items())[:3]:
            records.note(f"left out {sample}: {why}")
        if len(state.left_out) > 3:
            records.note(f"left out {len(state.left_out)} samples in all")
    if accelerator.is_main_process:
        publishing.publish(state, store.version, log, final, done)
    accelerator.wait_for_everyone()


def _run(
    store: Store, layout: Layout, config: TrainingConfig, accelerator: Accelerator, plum: Plum, folder: Path
) -> loop.Run:
    optimisation = config.optimisation
    effective = Effective.dealt(optimisation.batch, optimisation.at_once, accelerator.num_processes)
    with accelerator.main_process_first():
        samples = rows.prepare(store, config.data, layout.work / "samples")
    embedding = _embedding(plum, layout.work / "embeddings") if config.keep_embeddings else None
    feed = Feed(
        samples,
        _photographs(store, layout, config, samples),
        Collator(plum, config.data.longest, embedding, learning=True),
        config.data,
        effective,
        seed=config.seed,
        threads=config.threads,
        process=accelerator.process_index,
    )
    if optimisation.compute_again:
        plum.backbone.compute_again()
    wrapped, *prepared = accelerator.prepare(plum, *loop.optimisers_of(plum, optimisation))
    return loop.Run(
        config=config,
        accelerator=accelerator,
        plum=accelerator.unwrap_model(wrapped),
        wrapped=wrapped,
        optimisers=prepared,
        feed=feed,
        folder=folder / "checkpoints",
        steps=optimisation.steps or max(1, round(optimisation.epochs * feed.per_epoch)),
        about={"settings": settings.digest(config), "data_version": store.version},
    )


def _photographs(store: Store, layout: Layout, config: TrainingConfig, samples: Rows) -> Photographs:
    given = {**config.data.photographs, **{name: one.images for name, one in config.data.others.items()}}
    return of_store(layout.root, given, SETTING).check(samples.uris())


def _embedding(plum: Plum, folder: Path) -> Callable[[Sample, Tensor], Tensor]:
    cache = EmbeddingCache(folder, encoder_key(plum.segmenter.sam))

    def embedding(sample: Sample, pixels: Tensor) -> Tensor:
        known = cache.get(sample.photograph, view=sample.view_id)
        if known is not None:
            return known
        with torch.no_grad():
            made = plum.segmenter.encode(pixels[None].to(plum.backbone.device))[0].cpu()
        return cache.put(sample.photograph, made, view=sample.view_id)

    return embedding


def _validation(store: Store, layout: Layout, config: TrainingConfig) -> Sequence[Sample]:
    """The samples that are measured: drawn by key from those of the validation's selection. None where there are none."""
    wanted = config.validation
    if wanted is None or not wanted.samples:
        return []
    try:
        found = rows.prepare(store, wanted.data.checked(), layout.work / "samples")
    except ModelError:
        if store.sql(
            "SELECT 1 FROM questions WHERE list_contains($s, split) LIMIT 1", {"s": list(wanted.data.splits)}
        ).fetchall():
            raise
        return []
    places = _photographs(store, layout, replace(config, data=wanted.data), found)
    drawn = torch.randperm(len(found), generator=torch.Generator().manual_seed(config.seed))[: wanted.samples]
    return [sample_of(found[int(number)], places) for number in drawn]
