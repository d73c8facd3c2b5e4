"""Tables of the questions, of what language models were asked, and of how models answered."""

from __future__ import annotations

import pyarrow as pa

from schemas.columns import BOX, CHOICES, OBJECT_CHOICES, SPANS, STRINGS, Column, Table, struct_list

QUESTIONS = Table(
    "questions",
    "a question",
    (
        Column(
            "question_id", pa.string(), "`qst_` and 22 hex digits; the first 12 stand for those that are asked together"
        ),
        Column("image_id", pa.string(), "The photograph (`images`)"),
        Column("object_id", pa.string(), "The object that it asks about (`objects`)"),
        Column("source", pa.string(), "Name of the source"),
        Column("split", pa.string(), "`train`, `val`, `test`, or an out-of-distribution test split"),
        Column(
            "question_type",
            pa.string(),
            "`identification`, `intersection`, `difference`, `contrast`, `part_to_whole` or `whole_to_part`",
        ),
        Column(
            "names_object",
            pa.bool_(),
            'Whether the question names the object, or says "the object in the image"',
        ),
        Column("contrast_categories", STRINGS, "The other object categories that it names, in order"),
        Column("question", pa.string(), "Its text"),
        Column(
            "choices",
            CHOICES,
            "The answers to choose from; `text[start:end]` of a span (in characters) is the phrase that names its part",
        ),
        Column("correct_index", pa.int16(), "Position of the correct choice"),
        Column(
            "referent",
            pa.string(),
            "How it points at its object: `unique`, `crop` (the image is cut to `region`) or `box` (drawn; training only)",
        ),
        Column("region", BOX, "The crop or the drawn box, x, y, width, height in pixels", nullable=True),
        Column(
            "group_id",
            pa.string(),
            "The group of instances whose answers its choices are drawn from",
            nullable=True,
        ),
        Column(
            "block_id",
            pa.string(),
            "The questions with the same text and choices, each choice right exactly once",
            nullable=True,
        ),
        Column(
            "balanced",
            pa.bool_(),
            "Whether it belongs to such a block; one of `whole_to_part`, if all its objects are of one category",
        ),
        Column("chance", pa.float32(), "Expected accuracy without the image"),
        Column(
            "evidence",
            pa.string(),
            "`verified` or `unverified`: whether every wrong choice is false, and the right one complete, by evidence",
        ),
        Column("object_question", pa.string(), "The question for the object, in two-turn types", nullable=True),
        Column("object_choices", OBJECT_CHOICES, "Its choices", nullable=True),
        Column("correct_object_index", pa.int16(), "Position of the correct one", nullable=True),
        Column("object_balanced", pa.bool_(), "As `balanced`, for the object question", nullable=True),
        Column("wording", pa.string(), "The template, or the call, that worded it"),
        Column("generator_version", pa.string(), "Version of the generator"),
    ),
    key=("question_id",),
)

QUESTION_MASKS = Table(
    "question_masks",
    "a part named in a correct answer",
    (
        Column("question_id", pa.string(), "The question"),
        Column("part_category", pa.string(), "The part named"),
        Column(
            "phrase",
            pa.string(),
            "What the answer calls it: the contrast category's name where that is broader (`blade` for a `rotor blade`)",
        ),
        Column(
            "contrast_part",
            pa.string(),
            "The contrast category's own name of the part that they share; null where none is named, or it lacks the part",
            nullable=True,
        ),
        Column("part_ids", STRINGS, "Its instances (`parts`)"),
    ),
    key=("question_id", "part_category"),
)

LLM_CALLS = Table(
    "llm_calls",
    "a call of a language model",
    (
        Column("call_id", pa.string(), "`call_` and 16 hex digits"),
        Column("purpose", pa.string(), "What it was for: `relations`, `plausibility`, `wording`, `names`, …"),
        Column("model", pa.string(), "The model's name"),
        Column("prompt_sha256", pa.string(), "SHA-256 of the whole request"),
        Column("request", pa.string(), "The request as JSON, without any key"),
        Column("response", pa.string(), "The answer as text", nullable=True),
        Column("prompt_tokens", pa.int64(), "Tokens sent", nullable=True),
        Column("completion_tokens", pa.int64(), "Tokens received", nullable=True),
        Column("cost_usd", pa.float64(), "Price in US dollars", nullable=True),
        Column("latency_s", pa.float64(), "Seconds from request to answer", nullable=True),
        Column("status", pa.string(), "`admitted`, `refused`, `failed`, …"),
        Column("created_at", pa.timestamp("us", tz="UTC"), "When it was sent"),
    ),
    key=("call_id",),
)

PREDICTIONS = Table(
    "predictions",
    "a model's answer to a question",
    (
        Column("model_id", pa.string(), "The model"),
        Column("question_id", pa.string(), "The question"),
        Column("choice", pa.int16(), "The choice it took; null where it gave none", nullable=True),
        Column(
            "scores",
            pa.list_(pa.field("element", pa.float32(), nullable=False)),
            "Its score of each choice",
            nullable=True,
        ),
        Column(
            "lengths",
            pa.list_(pa.field("element", pa.int32(), nullable=False)),
            "Tokens that each score is a sum over",
            nullable=True,
        ),
        Column("correct", pa.bool_(), "Whether the choice is right"),
        Column("object_choice", pa.int16(), "The object it chose, in two-turn types", nullable=True),
        Column("text", pa.string(), "The text it generated", nullable=True),
        Column("spans", SPANS, "The spans it tagged in the text", nullable=True),
        Column(
            "masks",
            struct_list(part=pa.string(), height=pa.int32(), width=pa.int32(), counts=pa.string(), score=pa.float32()),
            "A mask for each part it named, and how good it takes the mask to be (its guess of the IoU)",
            nullable=True,
        ),
        Column("iou", struct_list(part=pa.string(), iou=pa.float32()), "IoU by part", nullable=True),
        Column(
            "conditioning",
            pa.string(),
            "Whose spans and first answers the masks rest on: `oracle` or `predicted`",
        ),
        Column("seed", pa.int64(), "Seed of the evaluation"),
    ),
    key=("model_id", "question_id", "conditioning", "seed"),
)

EVALUATIONS = Table(
    "evaluations",
    "a metric of a model",
    (
        Column("model_id", pa.string(), "The model"),
        Column("version", pa.string(), "The version of the data"),
        Column("split", pa.string(), "The split"),
        Column("question_type", pa.string(), "The type, or `all`"),
        Column(
            "slice",
            pa.string(),
            "Which questions of the type: `all`, a source, a category, a part size, …; `gap=test`: the difference to `test`",
        ),
        Column("metric", pa.string(), "The metric's name"),
        Column("value", pa.float64(), "Its value"),
        Column("low", pa.float64(), "Lower end of the 95 % interval", nullable=True),
        Column("high", pa.float64(), "Upper end", nullable=True),
        Column("n", pa.int64(), "Questions it rests on"),
        Column("n_skipped", pa.int64(), "Questions that could not be scored"),
    ),
    key=("model_id", "version", "split", "question_type", "slice", "metric"),
)
