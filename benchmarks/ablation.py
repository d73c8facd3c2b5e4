"""What each part of the tiny PLUM does, and what it loses on things that training never saw, beside baselines: on a drawn world.

    python benchmarks/ablation.py [--world 1] [--steps 160] [--seeds 1 2 3] [--questions 300] [--root DIR]

A demo world of medium size is drawn and built with more objects, parts and pairs held out than real data needs, so that there
are enough questions about them. On it `partonomy ablate` trains `model/configs/tiny.yaml`, by two processes, with one thing
changed at a time: without feedback, without what `[SEG]` tokens can't have, and with `[SEG]` tokens. All are asked the same
questions; beside them stand chance, the learned attacker that never looks, the truth, and SAM with the true part's box. With
`--root`, what a run before has trained and measured there is not done again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

SPLITS: Final = ("test", "test_unseen_object", "test_unseen_part", "test_unseen_pair")
VARIANTS: Final = ("plum", "no-feedback", "tags-alone", "seg-token", "half-cut", "likelihood-alone", "blank-image")
BESIDE: Final = (
    "random",
    "blind",
    "oracle",
    "whole-object",
    "mean-location",
    "sam-box:shipped:tiny/sam_tiny.safetensors",
)
PROCESSES: Final = 2


def made(world: int, root: Path) -> None:
    """A store with a share of all things held out."""
    from partonomy_data import BuildConfig, SourceSetting, build, demo
    from partonomy_data.questions.settings import QuestionSettings
    from partonomy_data.splits.settings import SplitSettings

    drawn = demo.write(root / "demo", size="medium", world_seed=world, photo_seed=1000 + world)
    sources = {name: SourceSetting(str(path)) for name, path in sorted(drawn.sources.items())}
    splits = SplitSettings(
        test=0.2, unseen_objects=0.1, unseen_parts=0.1, unseen_pairs=0.03, most_photographs=0.1, evaluation_only=()
    )
    build(root, BuildConfig(sources=sources, questions=QuestionSettings(splits=splits)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", type=int, default=1)
    parser.add_argument("--steps", type=int, default=160)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--questions", type=int, default=300, help="at most, of each split")
    parser.add_argument("--root", type=Path, help="a folder for the store")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = given.root or Path(scratch)
        if not (root / "CURRENT").exists():
            made(given.world, root)
        print(table(root, given.steps, tuple(given.seeds), given.questions))


def table(root: Path, steps: int, seeds: tuple[int, ...], questions: int) -> str:
    """The ablation's report, as Markdown."""
    import partonomy_data
    from model import settings
    from model.commands import config_file
    from model.evaluation.ablation import job, saying
    from model.evaluation.ablation.config import STANDARD, AblationConfig, DriftConfig
    from model.evaluation.job import EvaluationConfig
    from model.evaluation.predicting import PredictionConfig
    from model.training.config import TrainingConfig

    with partonomy_data.open(root) as store:
        splits = tuple(split for split in SPLITS if store.questions(split=split).num_rows)
    tiny = settings.load(config_file(Path("tiny")), TrainingConfig)
    training = replace(
        tiny,
        optimisation=replace(tiny.optimisation, steps=steps),
        validation=replace(tiny.validation, every=steps),
        trackers=(),
    )
    config = AblationConfig(
        training,
        seeds=seeds,
        processes=PROCESSES,
        splits=splits,
        variants={name: STANDARD[name] for name in VARIANTS},
        beside=BESIDE,
        evaluation=EvaluationConfig(PredictionConfig(limit=questions), longest=64, sam_size=str(tiny.model.sam_size)),
        drift=DriftConfig(passages=50),
    )
    return saying.markdown(job.ablate(root, config, told=lambda line: print(line, file=sys.stderr, flush=True)))


if __name__ == "__main__":
    main()
