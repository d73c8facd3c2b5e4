"""The steps of a run.

Each step's loss is a sum over all its samples divided by what they count, over all passes and processes: so it is the same
however they are dealt. Each step draws its random numbers (dropout, scheduled sampling) from its own key, so a run that goes
on from a checkpoint goes on as if it had never stopped.
"""

from __future__ import annotations

import hashlib
import math
import resource
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor, nn
from torch.optim import Optimizer

from model import muon
from model.data.collate import Collated
from model.plum import losses
from model.plum.batch import counts
from model.plum.errors import ModelError
from model.plum.model import Plum
from model.training import checkpoints
from model.training.config import OptimisationConfig, TrainingConfig
from model.training.feeding import Feed, Step
from model.training.records import Records

#: Pieces that are PLUM's own, and start from nothing.
_OWN: Final = ("extractor.", "query.", "sight.", "feedback.")


@dataclass
class Run:
    """A run under way."""

    config: TrainingConfig
    accelerator: Accelerator
    plum: Plum
    wrapped: nn.Module
    """The same model, as the processes share it."""
    optimisers: Sequence[Any]
    feed: Feed
    folder: Path
    """Of its checkpoints."""
    steps: int
    about: dict[str, Any]
    """What each checkpoint says of the run."""
    best: float = math.inf
    waited: int = 0
    """Measurements since the best."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Samples that couldn't be shown, and why: those of all processes, from the run's beginning."""


def optimisers_of(plum: Plum, config: OptimisationConfig) -> list[Optimizer]:
    """AdamW; and Muon, where hidden matrices have a learning rate of their own."""
    matrices: list[nn.Parameter] = []
    if config.hidden_learning_rate is not None:
        head = plum.backbone.plain.get_output_embeddings().weight
        matrices = muon.hidden_matrices(plum, {id(head)})
    groups = parameters_of(plum, config, {id(one) for one in matrices})
    found: list[Optimizer] = [
        torch.optim.AdamW(groups, config.learning_rate, config.betas, weight_decay=config.weight_decay)
    ]
    if matrices and config.hidden_learning_rate is not None:
        fresh = {id(one) for name, one in plum.named_parameters() if name.startswith(_OWN)}
        rates = (config.hidden_learning_rate, config.own_hidden_learning_rate or config.hidden_learning_rate)
        dealt = ([one for one in matrices if (id(one) in fresh) == own] for own in (False, True))
        some = [{"params": one, "peak": rate} for one, rate in zip(dealt, rates, strict=True) if one]
        found.append(muon.Muon(some, config.hidden_learning_rate, config.weight_decay))
    return found


def parameters_of(plum: Plum, config: OptimisationConfig, left_out: Collection[int] = ()) -> list[dict[str, Any]]:
    """The weights that train, in two groups: the backbone's and SAM's, and those that are PLUM's own; not those `left_out`."""
    own: list[Tensor] = []
    others: list[Tensor] = []
    for name, one in plum.named_parameters():
        if one.requires_grad and id(one) not in left_out:
            (own if name.startswith(_OWN) else others).append(one)
    rate = config.own_learning_rate or config.learning_rate
    return [{"params": others, "peak": config.learning_rate}, {"params": own, "peak": rate}]


def rate_at(step: int, steps: int, warm_up: int) -> float:
    """The learning rate of a step, as a share of its peak: a straight line up to it, and one down to 0 after the last step."""
    up = min(warm_up, steps)
    if step < up:
        return (step + 1) / up
    return (steps - step) / max(1, steps - up)


def truth_at(config: OptimisationConfig, step: int, steps: int) -> float:
    """The share of earlier masks that are the true ones in a step."""
    first = round(config.truth_falls_from * steps)
    share = min(1.0, max(0, step - first) / max(1, steps - 1 - first))
    return config.truth_at_first + (config.truth_at_last - config.truth_at_first) * share


def run(state: Run, records: Records, start: int, measure: Callable[[], dict[str, float]] | None) -> int:
    """Works off the steps from `start`, saving checkpoints, and measuring; returns how many the run had in all.

    A run that had ended early when its last checkpoint was written takes no further step.
    """
    wanted = state.config.validation
    if wanted is not None and wanted.patience and state.waited >= wanted.patience:
        return start
    for step in state.feed.steps(start, state.steps):
        began = time.perf_counter()
        values = one_step(state, step)
        records.step(step.number, {**values, "seconds": time.perf_counter() - began, "peak_mb": _peak_mb()})
        done = step.number + 1
        last = done == state.steps
        found: dict[str, float] | None = None
        if measure is not None and wanted is not None and (done % wanted.every == 0 or last):
            found = measure()
            records.measured(step.number, found)
            if _better(state, found["loss"]) and wanted.keep_best:
                save(state, done, checkpoints.BEST, found)
            if wanted.patience is not None and state.waited >= wanted.patience:
                records.note(f"no better for {state.waited} measurements: ends after {done} of {state.steps} steps")
                last = True
        if done % state.config.save_every == 0 or last:
            save(state, done, checkpoints.name_of(done), found)
            checkpoints.prune(state.folder, state.config.keep)
        if last:
            return done
    return state.steps


def one_step(state: Run, step: Step) -> dict[str, float]:
    """Forward and backward passes of a step, then the optimiser's. Returns loss, terms, gradient norm, learning rate."""
    optimisation, accelerator = state.config.optimisation, state.accelerator
    _draw_from(state.config.seed, step.number, accelerator.process_index)
    generator = torch.Generator().manual_seed(_key(state.config.seed, step.number, accelerator.process_index) ^ 1)
    passes = [one for one in step.passes if one.batch is not None]
    _leave_out(state, {name: why for one in step.passes for name, why in one.left_out.items()})
    shared = _shared_counts(state, passes)
    if not passes:  # in another process there may be some, which would wait for this one
        raise ModelError(
            f"none of the step's samples can be used: {next(iter(state.left_out.values()))}",
            where=f"step {step.number}",
        )
    truth = truth_at(optimisation, step.number, state.steps)
    sums = dict.fromkeys(losses.TERMS, 0.0)
    state.wrapped.train()
    for number, one in enumerate(passes):
        assert one.batch is not None
        batch = one.batch.to(accelerator.device)
        quiet = accelerator.no_sync(state.wrapped) if number + 1 < len(passes) else nullcontext()
        with quiet, accelerator.autocast():
            found = state.wrapped(batch, truth=truth, generator=generator)
            # Processes average their gradients; the loss is a sum over them.
            loss = losses.total(found, shared, state.config.model.losses) * accelerator.num_processes
            _refuse_nan(loss, step, batch.ids)
            accelerator.backward(loss)
        for name, value in found.items():
            sums[name] += float(value.detach())
    rate = rate_at(step.number, state.steps, optimisation.warm_up)
    for group in (group for optimiser in state.optimisers for group in optimiser.param_groups):
        group["lr"] = group["peak"] * rate
    norm = accelerator.clip_grad_norm_(
        [one for one in state.wrapped.parameters() if one.requires_grad], optimisation.clip
    )
    if not math.isfinite(float(norm)):
        raise ModelError(
            f"the gradient is {float(norm)} at step {step.number}", where=_ids(step), mend="Lower the learning rate"
        )
    for optimiser in state.optimisers:
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    return _told(state, sums, shared, float(norm), optimisation.learning_rate * rate)


def _leave_out(state: Run, here: dict[str, str]) -> None:
    """Takes down what this step has left out, in this process and in the others."""
    new = {name: why for name, why in here.items() if name not in state.left_out}
    some = torch.tensor([len(new)], dtype=torch.float64, device=state.accelerator.device)
    if float(state.accelerator.reduce(some, "sum")):  # seldom: texts are sent from process to process only then
        for told in gather_object([new]):
            state.left_out.update(told)


def _shared_counts(state: Run, passes: list[Collated]) -> dict[str, float]:
    """What the step's losses are divided by: counted over all passes, and over all processes."""
    own = counts([one.batch for one in passes if one.batch is not None], state.config.model.losses.span_weights)
    told = torch.tensor([own[name] for name in losses.TERMS], dtype=torch.float64, device=state.accelerator.device)
    summed = state.accelerator.reduce(told, "sum").tolist()
    return dict(zip(losses.TERMS, summed, strict=True))


def _told(state: Run, sums: dict[str, float], shared: dict[str, float], norm: float, rate: float) -> dict[str, float]:
    told = torch.tensor([sums[name] for name in losses.TERMS], dtype=torch.float64, device=state.accelerator.device)
    summed: dict[str, float] = dict(zip(losses.TERMS, state.accelerator.reduce(told, "sum").tolist(), strict=True))
    terms: dict[str, float] = {
        name: summed[name] / shared[name] for name in losses.TERMS if shared[name] and name in summed
    }
    loss = sum(state.config.model.losses.weight(name) * value for name, value in terms.items())
    return {"loss": loss, **terms, "gradient_norm": norm, "learning_rate": rate, "left_out": float(len(state.left_out))}


def save(state: Run, done: int, name: str, measured: dict[str, float] | None = None) -> None:
    """Writes a checkpoint, by the first process."""
    state.accelerator.wait_for_everyone()
    if state.accelerator.is_main_process:
        trains = {key for key, one in state.plum.named_parameters() if one.requires_grad}
        content = {
            "weights": {key: one.detach().cpu() for key, one in state.plum.state_dict().items() if key in trains},
            "optimisers": [one.state_dict() for one in state.optimisers],
        }
        about = {
            **state.about,
            "step": done,
            "best": state.best,
            "waited": state.waited,
            "measured": measured or {},
            "left_out": state.left_out,
        }
        checkpoints.save(state.folder, name, content, about)
    state.accelerator.wait_for_everyone()


def restore(state: Run, found: checkpoints.Checkpoint) -> int:
    """Takes up a checkpoint; returns the step to go on with. Raises ModelError for one of another run."""
    for name, value in state.about.items():
        if found.about.get(name) != value:
            raise ModelError(
                f"the checkpoint is of another {name.replace('_', ' ')}",
                where=str(found.folder),
                mend="Name another --out",
            )
    content = found.state()
    missing, surplus = state.plum.load_state_dict(content["weights"], strict=False)
    trains = {name for name, one in state.plum.named_parameters() if one.requires_grad}
    if surplus or trains & set(missing):
        raise ModelError("the checkpoint's weights are not this model's", where=str(found.folder))
    for optimiser, kept in zip(state.optimisers, content["optimisers"], strict=True):
        optimiser.load_state_dict(kept)
    state.best, state.waited = float(found.about["best"]), int(found.about["waited"])
    state.left_out.update(found.about.get("left_out", {}))  # older checkpoints don't say it
    return found.step


def _better(state: Run, loss: float) -> bool:
    if loss < state.best:
        state.best, state.waited = loss, 0
        return True
    state.waited += 1
    return False


def _refuse_nan(loss: Tensor, step: Step, ids: tuple[str, ...]) -> None:
    if not torch.isfinite(loss):
        raise ModelError(
            f"the loss is {loss.item()} at step {step.number}",
            where=", ".join(ids),
            mend="Lower the learning rate, or look at these samples; the last checkpoint is whole",
        )


def _ids(step: Step) -> str:
    return ", ".join(name for one in step.passes if one.batch is not None for name in one.batch.ids)


def _key(*numbers: int) -> int:
    return int.from_bytes(hashlib.sha256(repr(numbers).encode()).digest()[:7], "big")


def _draw_from(*numbers: int) -> None:
    torch.manual_seed(_key(*numbers))


def _peak_mb() -> float:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
