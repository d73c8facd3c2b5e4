"""What the tiny PLUM learns of a world in ten minutes on two cores, beside baselines, for several worlds.

    python benchmarks/tiny_world.py [--seeds 1 2 3] [--size medium] [--steps N] [--random-parts] [--keep DIR]

For each seed a demo world of its own (names, categories, layouts, photographs) is drawn and built, and `model/configs/tiny.yaml`
is trained on it, by two processes, from the weights that come with the package; with `--random-parts`, from parts of the same
sizes that have learned nothing as well. All are asked the questions of `val` and `test` about photographs of the three sources
that are trained on: none of them was seen, and what is measured as the model trains decides nothing. The fourth source,
PARTONOMY's own, is of `test` alone, and calls many parts by names that training never heard: it has a row of its own. A seed
takes some twenty minutes.

    gold          strict gIoU of masks under the true answers' spans, a mean over questions
    lost          gIoU over masks that is lost where the model finds the spans of true answers itself: one that it misses, and one
                  that it tags and that names no part, count 0
    written       strict gIoU where the answer is written by the model as well, which then has to name the parts that show
    choices       share of right choices, on balanced questions; chance beside it
    spans         F1 of part names tagged in true answers; of those in `test_unseen_part`; and of those in the wordings of the
                  question types that training leaves out, which it never read
    follows       of answers to a question with a sister's photograph, the share that is right for that photograph
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

BASELINES: Final = ("whole-object", "mean-location", "nearest", "color", "random", "blind", "oracle")
MASKING: Final = BASELINES[:4]
PROCESSES: Final = 2
#: Sources that training has photographs of.
TRAINED: Final = ("paco", "partimagenet", "pascal_part")
#: Types of questions that the tiny settings train on none of: nobody told the model how their answers are worded.
UNHEARD: Final = ("intersection", "contrast")
#: Least gIoU, its most that own spans may cost, least choices in chances, least F1, and by how much baselines are beaten.
LEAST: Final = {"gold": 0.5, "lost": 0.05, "chances": 2.0, "spans": 0.98, "beaten": 0.15}


def made(seed: int, size: str, root: Path) -> None:
    """A world's store."""
    from partonomy_data import BuildConfig, SourceSetting, build, demo

    world = demo.write(root / "demo", size=size, world_seed=seed, photo_seed=1000 + seed)
    sources = {name: SourceSetting(str(path)) for name, path in sorted(world.sources.items())}
    build(root, BuildConfig(sources=sources))


def random_parts(folder: Path) -> dict[str, str]:
    """The tiny parts before they have learned anything, as settings of a model."""
    import torch

    from model.tiny import parts

    torch.manual_seed(1)
    processor = parts.processor(1)
    parts.language_model(processor.tokenizer).save_pretrained(folder)
    processor.save_pretrained(folder)
    return {"backbone": str(folder), "sam": "random"}


def trained(root: Path, steps: int | None, changed: dict[str, str]) -> tuple[str, float]:
    """A model's name in the store, and the seconds that its training took."""
    from model import settings
    from model.commands import config_file
    from model.training.config import TrainingConfig
    from model.training.job import train_together

    config = settings.load(config_file(Path("tiny")), TrainingConfig)
    config = replace(config, model=replace(config.model, **changed), trackers=())  # type: ignore[arg-type]
    if steps is not None:
        config = replace(config, optimisation=replace(config.optimisation, steps=steps))
    began = time.perf_counter()
    name = train_together(root, config, PROCESSES).name
    return name, time.perf_counter() - began


def measured(root: Path, model: str, split: str, sources: tuple[str, ...] = ()) -> dict[str, tuple[float, int]]:
    """A model's metrics on the questions of a split, and how many each is of; choices on balanced ones alone.

    And `unheard_span_f1`, of the types that it wasn't trained on.
    """
    from model.evaluation import job
    from model.evaluation.job import EvaluationConfig
    from model.evaluation.predicting import PredictionConfig

    rows = job.evaluate(root, model, EvaluationConfig(PredictionConfig(split=split, sources=sources))).measured.rows
    whole = [row for row in rows if row["slice"] == "all"]
    found = {row["metric"]: (row["value"], row["n"]) for row in whole if row["question_type"] == "all"}
    unheard = [row for row in whole if row["question_type"] in UNHEARD and row["metric"] == "span_f1"]
    if n := sum(row["n"] for row in unheard):
        found["unheard_span_f1"] = sum(row["value"] * row["n"] for row in unheard) / n, n
    return found


def values(metrics: dict[str, tuple[float, int]]) -> dict[str, float]:
    """Without how many each is of."""
    return {name: value for name, (value, _) in metrics.items()}


def unseen(root: Path, model: str) -> dict[str, float]:
    """A model's metrics on the photographs that training didn't see, of the sources that it is of: `val` and `test` together."""
    val, test = (measured(root, model, split, TRAINED) for split in ("val", "test"))
    both = {name: [one[name] for one in (val, test) if name in one] for name in val.keys() | test.keys()}
    return {name: sum(v * n for v, n in some) / max(1, sum(n for _, n in some)) for name, some in both.items()}


def has_questions(root: Path, split: str) -> bool:
    """Whether a split has any; a small world may have held nothing out."""
    import partonomy_data

    with partonomy_data.open(root) as store:
        return bool(store.questions(split=split).num_rows)


def lost(root: Path, model: str) -> float:
    """What own spans cost, on the same questions as `unseen`."""
    from model.data import rows
    from model.data.collate import Collator
    from model.data.samples import sample_of
    from model.data.selection import DataConfig
    from model.plum import saving
    from model.training import measuring
    from partonomy_data.photographs.places import SETTING, of_store
    from partonomy_data.store.layout import Layout
    from partonomy_data.store.reader import open as open_store

    layout = Layout(root)
    plum = saving.from_pretrained(layout.models / model).plum
    with open_store(root) as store:
        found = rows.prepare(store, DataConfig(("val", "test"), sources=TRAINED), layout.work / "samples")
        places = of_store(root, {}, SETTING).check(found.uris())
        samples = [sample_of(found[number], places) for number in range(len(found))]
    values = measuring.measure(plum, samples, Collator(plum))
    return values["giou"] - values["giou_own"]


def followed(root: Path, model: str) -> float:
    """How often an answer follows the photograph, on the same questions as `unseen`."""
    from model.evaluation import swapping
    from model.evaluation.job import EvaluationConfig
    from model.evaluation.predicting import PredictionConfig

    found = []
    for split in ("val", "test"):
        rows = swapping.swap(root, model, EvaluationConfig(PredictionConfig(split=split, sources=TRAINED))).rows
        found += [row for row in rows if (row["metric"], row["question_type"]) == ("swap_follows", "all")]
    return float(sum(row["value"] * row["n"] for row in found) / sum(row["n"] for row in found))


def line(name: str, values: dict[str, float]) -> None:
    """A row of the table."""
    columns = (
        "strict_giou_oracle", "lost", "strict_giou_predicted", "accuracy", "chance", "span_f1", "unseen_span_f1",
        "unheard_span_f1", "follows", "minutes",
    )  # fmt: skip
    cells = [f"{values[one]:>9.3f}" if one in values else f"{'-':>9}" for one in columns]
    print(f"{name:<22}" + "".join(cells), flush=True)


def verdicts(plum: dict[str, float], baselines: dict[str, dict[str, float]]) -> list[str]:
    """The targets, and whether they are met."""
    gold = plum["strict_giou_oracle"]
    chances = plum["accuracy"] / plum["chance"]
    best = max(baselines, key=lambda name: baselines[name]["strict_giou_oracle"])
    ahead = gold - baselines[best]["strict_giou_oracle"]
    told = [
        (f"gIoU under gold spans {gold:.3f}, wanted {LEAST['gold']}", gold >= LEAST["gold"]),
        (f"own spans lose {plum['lost']:.3f}, at most {LEAST['lost']}", plum["lost"] <= LEAST["lost"]),
        (f"choices {chances:.2f} times chance, wanted {LEAST['chances']}", chances >= LEAST["chances"]),
        (f"spans {plum['span_f1']:.3f}, wanted {LEAST['spans']}", plum["span_f1"] >= LEAST["spans"]),
        (f"ahead of {best} by {ahead:.3f}, wanted {LEAST['beaten']}", ahead >= LEAST["beaten"]),
    ]
    for name, what in (("unseen_span_f1", "names are unseen"), ("unheard_span_f1", "wordings are")):
        if name in plum:
            f1 = plum[name]
            told.append((f"spans where {what} {f1:.3f}, wanted {LEAST['spans']}", f1 >= LEAST["spans"]))
    return [f"  {'met   ' if met else 'NOT   '}{what}" for what, met in told]


def of_world(seed: int, given: Any, root: Path) -> None:
    """A world's rows."""
    print(f"\nworld {seed}", flush=True)
    if not (root / "CURRENT").exists():
        made(seed, given.size, root)
    name, seconds = trained(root, given.steps, {})
    plum = {**unseen(root, name), "minutes": seconds / 60, "lost": lost(root, name), "follows": followed(root, name)}
    if has_questions(root, "test_unseen_part"):
        plum["unseen_span_f1"] = values(measured(root, name, "test_unseen_part"))["span_f1"]
    line("plum-tiny", plum)
    line("  cut at one half", unseen(root, f"{name}--half-cut"))
    line("  by likelihood alone", unseen(root, f"{name}--likelihood-alone"))
    line("  on other names", values(measured(root, name, "test", ("partonomy",))))
    if given.random_parts:
        with tempfile.TemporaryDirectory() as folder:
            other, seconds = trained(root, given.steps, random_parts(Path(folder)))
            line("from random parts", {**unseen(root, other), "minutes": seconds / 60})
    baselines = {one: unseen(root, one) for one in BASELINES}
    for one, found in baselines.items():
        line(one, found)
    curve(root, name)
    print("\n".join(verdicts(plum, {one: baselines[one] for one in MASKING})), flush=True)


def curve(root: Path, model: str) -> None:
    """What was measured on a hundred questions as the model was trained."""
    from partonomy_data.store.layout import Layout

    for text in (Layout(root).models / model / "training.jsonl").read_text().splitlines():
        row = json.loads(text)
        if "measured" in row:
            told = ", ".join(f"{key} {value:.3f}" for key, value in row["measured"].items())
            print(f"  step {row['step']:>5}: {told}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--size", default="medium")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--random-parts", action="store_true")
    parser.add_argument(
        "--keep", type=Path, help="a folder for the worlds; what is there is not drawn or trained again"
    )
    given = parser.parse_args()
    heads = ("gold", "lost", "written", "choices", "chance", "spans", "unseen", "wordings", "follows", "minutes")
    print(f"{'':<22}" + "".join(f"{one:>9}" for one in heads))
    with tempfile.TemporaryDirectory() as scratch:
        for seed in given.seeds:
            of_world(seed, given, (given.keep or Path(scratch)) / f"world-{seed}")


if __name__ == "__main__":
    main()
