"""Answers of models to a version's questions: metrics side by side, and two models question by question."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from partonomy_data.explore import drawing
from partonomy_data.explore.opening import Opened, Row
from partonomy_data.explore.paging import Where, count, page
from partonomy_data.explore.questions import asked
from partonomy_data.explore.rendering import PageError, Site
from partonomy_data.explore.spelling import spelled

#: Whose spans and first answers a model's masks rest on.
CONDITIONINGS: Final = ("oracle", "predicted")
#: Which of the two answers are right → the condition on the answers `a` and `b`.
OUTCOMES: Final = {
    "first": "a.correct AND NOT b.correct",
    "second": "b.correct AND NOT a.correct",
    "both": "a.correct AND b.correct",
    "neither": "NOT a.correct AND NOT b.correct",
    "differ": "a.choice IS DISTINCT FROM b.choice",
}
_METRICS: Final = (
    "SELECT split, metric, model_id, value, low, high, n, n_skipped FROM evaluations WHERE version = ? AND slice = 'all' "
    "AND question_type = 'all' ORDER BY split, metric, model_id"
)
_SEED: Final = "SELECT min(seed) AS seed FROM answered WHERE model_id = ? AND conditioning = ?"
_PAIRED: Final = (
    "(SELECT a.n, a.question_type, a.split, a.correct AS first_correct, b.correct AS second_correct, a.choice AS first_choice, "
    "b.choice AS second_choice, a.iou AS first_iou, b.iou AS second_iou FROM answered a JOIN answered b USING (n, conditioning) "
    "WHERE a.model_id = ? AND b.model_id = ? AND conditioning = ? AND a.seed = ? AND b.seed = ?{})"
)
_SHOWN: Final = "n, question_id, image_id, question_type, split, source, question, object_category"
_PREDICTED: Final = (
    "SELECT * FROM predictions WHERE question_id = ? AND model_id = ? AND conditioning = ? ORDER BY seed LIMIT 1"
)


def router(site: Site) -> APIRouter:
    """`results`, `result`."""
    made = APIRouter()

    @made.get("/results")
    def results(
        request: Request, version: str, model: str = "", other: str = "", conditioning: str = "oracle",
        outcome: str = "", type: str = "", after: int = 0, before: int = 0,
    ) -> HTMLResponse:  # fmt: skip
        opened = site.open(version)
        _check(opened, model, other, conditioning)
        if outcome and outcome not in OUTCOMES:
            raise PageError(400, "There is no such outcome.")
        model = model or (opened.models[0] if opened.models else "")
        other = other or (opened.models[-1] if opened.models else "")
        given = {"model": model, "other": other, "conditioning": conditioning, "outcome": outcome, "type": type}
        context: dict[str, Any] = {"listed": None, "total": 0, "tally": {}}
        if opened.models:
            context = _compared(opened, given, before, after)
        return site.page(
            request, opened, "results.html", title="Results", models=opened.models, given=given, outcomes=OUTCOMES,
            conditionings=CONDITIONINGS, metrics=_metrics(opened),
            types=opened.names("SELECT DISTINCT question_type FROM answered ORDER BY 1"), **context,
        )  # fmt: skip

    @made.get("/result")
    def result(
        request: Request, version: str, id: str, model: str, other: str = "", conditioning: str = "oracle"
    ) -> HTMLResponse:
        opened = site.open(version)
        _check(opened, model, other, conditioning)
        row, _ = asked(opened, id)
        parts = [one for one in drawing.parts_of(opened, row["image_id"]) if one["object_id"] == row["object_id"]]
        named = opened.rows("SELECT part_category, part_ids FROM question_masks WHERE question_id = ?", [id])
        wanted = {part_id for one in named for part_id in one["part_ids"]}
        true = [part for part in parts if part["part_id"] in wanted]
        image = opened.one("SELECT image_id, width, height FROM pictured WHERE image_id = ?", [row["image_id"]])
        answers = [_answer(opened, row, one, conditioning) for one in dict.fromkeys([model, other]) if one]
        names = {part["part_category"] for part in true}
        names |= {mask["part"] for one in answers if one for mask in one["prediction"]["masks"] or ()}
        hues = drawing.hues_of(names)
        return site.page(
            request, opened, "result.html", title=row["question"], row=row, image=image, hues=hues,
            truth=drawing.part_shapes(true, hues), conditioning=conditioning,
            answers=[_drawn(one, hues) for one in answers if one],
            choices=[spelled(choice["text"], choice["spans"], hues) for choice in row["choices"]],
            missing=[one for one, found in zip(dict.fromkeys([model, other]), answers, strict=False) if found is None],
        )  # fmt: skip

    return made


def _check(opened: Opened, model: str, other: str, conditioning: str) -> None:
    for one in (model, other):
        if one and one not in opened.models:
            raise PageError(404, f"No answers of a model “{one}” to this version's questions are here.")
    if conditioning not in CONDITIONINGS:
        raise PageError(400, "Conditioning is oracle or predicted.")


def _metrics(opened: Opened) -> dict[str, dict[str, dict[str, Row]]]:
    """Split → metric → model → row."""
    found: dict[str, dict[str, dict[str, Row]]] = {}
    for row in opened.kept(_METRICS, [opened.version]):
        found.setdefault(row["split"], {}).setdefault(row["metric"], {})[row["model_id"]] = row
    return found


def _compared(opened: Opened, given: dict[str, str], before: int, after: int) -> dict[str, Any]:
    """A page of questions that both models answered, and how often each outcome is."""
    seeds = [opened.kept(_SEED, [given[name], given["conditioning"]])[0]["seed"] for name in ("model", "other")]
    about = [given["model"], given["other"], given["conditioning"], *seeds]
    condition = f" AND {OUTCOMES[given['outcome']]}" if given["outcome"] else ""
    where = Where()
    where.parameters.extend(about)
    where.equal("question_type", given["type"])
    paired = f"{_PAIRED.format(condition)} AS paired"
    total = count(opened, paired, where)
    listed = page(opened, "*", paired, where, before=before, after=after, own=about)
    marks = ", ".join("?" * len(listed.rows)) or "NULL"
    shown = opened.rows(f"SELECT {_SHOWN} FROM asked WHERE n IN ({marks})", [row["n"] for row in listed.rows])
    of_n = {row["n"]: row for row in shown}
    tally = opened.kept(
        f"SELECT {', '.join(f'count(*) FILTER ({one}) AS {name}' for name, one in OUTCOMES.items())}, count(*) AS n "
        "FROM answered a JOIN answered b USING (n, conditioning) "
        "WHERE a.model_id = ? AND b.model_id = ? AND conditioning = ? AND a.seed = ? AND b.seed = ?",
        about,
    )[0]
    for row in listed.rows:
        row["asked"] = of_n[row["n"]]
    return {"listed": listed, "total": total, "tally": tally}


def _answer(opened: Opened, row: Row, model: str, conditioning: str) -> dict[str, Any] | None:
    found = opened.one(_PREDICTED, [row["question_id"], model, conditioning])
    return None if found is None else {"model": model, "prediction": found}


def _drawn(answer: dict[str, Any], hues: dict[str, int]) -> dict[str, Any]:
    """An answer with its masks as shapes, and the IoU of each part."""
    told = answer["prediction"]
    shapes = [
        drawing.Shape(
            f"part:{mask['part']}",
            mask["part"],
            drawing.path_of([mask["height"], mask["width"]], mask["counts"]),
            hues[mask["part"]],
        )
        for mask in told["masks"] or ()
    ]
    text = spelled(told["text"], told["spans"] or (), hues) if told["text"] else []
    return answer | {"shapes": shapes, "iou": told["iou"] or [], "text": text}
