"""How good a model is at Explanatory Part Segmentation: how it is asked, what is kept of its answers, and what they are worth.

asking             what a model is asked, and what it gives
questions          the questions of a split
protocol           how a question is asked, and what is kept of what comes of it
predicting         a model's predictions on a split, into the store
adapters           PLUM, language models that see as they are, models behind a server, and baselines
candidates         all that can be measured, by what it is called
saved              predictions that were made elsewhere, in a file
agreement          IoU by part, as predictions are kept with it

The metrics take plain data and run-length masks; they need neither torch, nor a model, nor a store.

answers            the truth of a question, and a model's prediction for it
checking           predictions judged before they are scored; what is malformed is counted, and scores 0
marks              what a metric keeps of each question: two numbers that add up
overlaps           how true and predicted masks of a question overlap
segmentation       gIoU, strict gIoU, cIoU; matchings of masks without names
boundaries         boundary IoU, on crops
average_precision  AP50
parts_named        precision, recall and F1 of part names and of spans
choices            accuracy of choices, chance-corrected, by length; likelihood against generation
calibration        expected calibration error
consistency        blocks all right, and questions that agree with their paraphrases
naming             which choice an answer in words names
attackers          what choosers get that never look at the photograph
scoring            all of these, of some questions
slices             which slices a question is in
intervals          bootstrap by groups and blocks
tallies            sums by unit, in bounded memory
streaming          all metrics of any number of questions, by slice, with intervals
comparing          two models on the same questions, and the same draws
gaps               a split out of the distribution beside the one within it

measuring          from predictions in the store to metrics in the store
general            general vision-language sets, before and after fine-tuning
people             the same questions answered by people, and their keys judged
ablation           models that differ in one thing, compared
report             what the metrics come to, for people
job                all of it: a model on a split of a version
against            a model beside another whose predictions are there
"""

from __future__ import annotations

from pathlib import Path


def evaluate(*, root: Path, version: str, model_id: str, split: str, config: Path | None) -> str:
    """What the flow `evaluate-plum` does: a model's predictions on a split, its metrics, and reports, into the store.

    Gives the report as Markdown. `config` is a YAML file of `job.EvaluationConfig`. Raises ModelError, and EvaluationError.
    """
    from model.evaluation import job

    return job.evaluate(root, model_id, job.from_file(config, split), version=version).report.text
