"""Whether a question reads as the template that it names has it, and asks what its type asks.

A text of the standard templates is written anew, from the template and the row. A text of a language model's is taken back
to its template: that of a paraphrase is told by the digest in its id; any other must ask what its type does, as far as
words show it. The row doesn't say which template words the question for the object: one of them must.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import pyarrow as pa

from partonomy_data.questions import keyed
from partonomy_data.questions.admission_meaning import meaning_objection
from partonomy_data.questions.admission_paraphrase import Inadmissible, in_slots
from partonomy_data.questions.bank import LISTINGS, OBJECT, QUESTION_SLOTS, Bank, Template
from partonomy_data.questions.nouns import definite, indefinite
from partonomy_data.questions.wording import PLACES, listed
from partonomy_data.store.catalog import quoted
from partonomy_data.validation.rules.common import found
from partonomy_data.validation.subject import Subject

#: Questions that are looked at again at a time.
_BATCH: Final = 4096
#: `<call_id>.<what>`, as the template of a language model is called.
_OF_MODEL: Final = r"^(.+)\.([\w\-]+)$"
#: What of it says that a paraphrase made it, and its digest.
_OF_PARAPHRASE: Final = re.compile(r"p(?P<digest>[0-9a-f]{8})", re.ASCII)

_PLACE: Final = f"if(referent = 'box', {quoted(PLACES[True])}, {quoted(PLACES[False])})"
#: What a template's slot is filled with; NULL where it has no such slot.
_FILLED: Final = "CASE slot_{n} WHEN 0 THEN thing WHEN 1 THEN other WHEN 2 THEN third END"
_QUESTION: Final = (
    f"text_0 || {_FILLED.format(n=1)} || text_1 || coalesce({_FILLED.format(n=2)} || text_2, '')"
    f" || coalesce({_FILLED.format(n=3)} || text_3, '')"
)
_ANSWER: Final = """before || array_to_string(list_transform(c.spans, lambda s, i:
    CASE WHEN i = 1 THEN opening WHEN i < len(c.spans) THEN ', ' || each WHEN i > 2 THEN ', and ' || each
        ELSE ' and ' || each END || c.text[s.start + 1 : s.end]), '') || after"""
_TURN: Final = "question_type || if(names_object, '/named/', '/unnamed/')"

#: The questions that no standard template words; `standard` if they name one.
_OTHERWISE: Final = f"""SELECT question_id, question_type, wording, question, thing, other, third,
        choices[correct_index + 1] AS choice, t.wording IS NOT NULL AS standard
    FROM (
        SELECT q.*, if(names_object, own.definite, 'the object') || {_PLACE} AS thing, a.indefinite AS other,
            b.indefinite AS third
        FROM questions q JOIN objects o USING (object_id) JOIN called own ON own.name = o.object_category
        LEFT JOIN called a ON a.name = q.contrast_categories[1] LEFT JOIN called b ON b.name = q.contrast_categories[2])
    LEFT JOIN templates_of_parts t USING (wording)
    WHERE NOT coalesce(question = {_QUESTION} AND len(list_filter(choices, lambda c: c.text <> {_ANSWER})) = 0, false)"""

#: The object questions that no standard template words, or whose choices go by another.
_OBJECT_OTHERWISE: Final = f"""WITH asked AS (
        SELECT question_id, object_question, 'the object' || {_PLACE} AS thing, object_choices FROM questions
        WHERE object_question IS NOT NULL),
    texts AS (SELECT DISTINCT object_question, thing FROM asked),
    fitting AS (
        SELECT object_question, thing, before, after FROM texts JOIN templates_of_objects
        ON object_question = text_0 || thing || text_1),
    offered AS (SELECT question_id, object_question, thing, unnest(object_choices) AS c FROM asked),
    worded AS (
        SELECT question_id FROM offered JOIN fitting USING (object_question, thing)
        LEFT JOIN called ON name = c.object_category
        GROUP BY question_id, before, after HAVING bool_and(coalesce(c.text = before || indefinite || after, false)))
    SELECT question_id, object_question, thing, object_choices FROM asked ANTI JOIN worded USING (question_id)"""


def worded_by_template(subject: Subject) -> pa.Table:
    """The question and its answers are what the template that `wording` names makes of the row."""
    _prepare(subject)
    rows = subject.connection.sql(_OTHERWISE).to_arrow_reader(_BATCH)
    return found(
        (row["question_id"], reason)
        for batch in rows
        for row in batch.to_pylist()
        if (reason := _objection(row)) is not None
    )


def _objection(row: Mapping[str, Any]) -> str | None:
    if row["standard"]:
        return f"{row['wording']} words it otherwise"
    told = re.search(_OF_MODEL, row["wording"].split("/", 2)[-1])
    if told is None:
        return None  # there is no such template: `wording_known`
    answers = _answers_taken_back(row["choice"])
    slots = zip(QUESTION_SLOTS.get(row["question_type"], ()), ("thing", "other", "third"), strict=False)
    values = {slot: row[column] or "" for slot, column in slots}
    if not answers or not all(value and value in row["question"] for value in values.values()):
        return "it doesn't say what it is about, or its answer doesn't list its parts"
    paraphrased = _OF_PARAPHRASE.fullmatch(told[2])
    try:
        question = in_slots(row["question"], values)
    except Inadmissible as error:
        # A name that is a word of a template can't be told from what stands in its slot; a paraphrase has none.
        return str(error) if paraphrased else None
    if paraphrased:
        same = any(keyed.hexdigest(question, answer, size=4) == paraphrased["digest"] for answer in answers)
        return None if same else f"{row['wording']} words it otherwise"
    objections = [_meaning(row["question_type"], question, answer) for answer in answers]
    return None if None in objections else objections[0]


@lru_cache(1 << 12)
def _meaning(question_type: str, question: str, answer: str) -> str | None:
    return next(meaning_objection(question_type, question, answer), None)


def _answers_taken_back(choice: Mapping[str, Any]) -> list[str]:
    """The answer with each slot that could have listed its parts so."""
    text, spans = choice["text"], choice["spans"]
    phrases = [(text[span["start"] : span["end"]], "") for span in spans]
    if not all(phrase for phrase, _ in phrases) or not phrases:
        return []
    made = []
    for slot, listing in LISTINGS.items():
        before, after = text[: spans[0]["start"]].removesuffix(listing.opening), text[spans[-1]["end"] :]
        if listed((before, slot, after), phrases)[0] == text:
            made.append(f"{before}{{{slot}}}{after}")
    return made


def object_worded_by_template(subject: Subject) -> pa.Table:
    """The question for the object and its answers are those of one template."""
    _prepare(subject)
    rows = subject.connection.sql(_OBJECT_OTHERWISE).to_arrow_reader(_BATCH)
    return found(
        (row["question_id"], row["object_question"])
        for batch in rows
        for row in batch.to_pylist()
        if _object_objection(row) is not None
    )


def _object_objection(row: Mapping[str, Any]) -> str | None:
    """What shows that no template for objects words it: of a language model's the row doesn't say which it is."""
    try:
        question = in_slots(row["object_question"], {"object": row["thing"]})
        answers = {
            in_slots(one["text"], {"an_object": indefinite(one["object_category"])}) for one in row["object_choices"]
        }
    except Inadmissible as error:
        return str(error)
    if len(answers) != 1:
        return "its choices read differently"
    return _meaning(OBJECT, question, answers.pop())


def wording_known(subject: Subject) -> pa.Table:
    """`wording` names a template of the question's type, or a call that words questions."""
    _prepare_templates(subject)
    return subject.found(
        f"""WITH odd AS (
            SELECT wording, turn FROM (
                SELECT DISTINCT wording, {_TURN} AS turn FROM questions)
            WHERE NOT starts_with(wording, turn) OR (
                wording NOT IN (SELECT wording FROM templates_of_parts)
                AND regexp_extract(wording[len(turn) + 1 :], '{_OF_MODEL}', 1) NOT IN (
                    SELECT call_id FROM llm_calls WHERE purpose IN ('wording', 'paraphrase'))))
        SELECT question_id AS row, 'there is no template ' || wording || ' for it' AS reason
        FROM questions q SEMI JOIN odd ON odd.wording = q.wording AND odd.turn = {_TURN}"""
    )


_TEXT: Final = pa.string()
_OF_PARTS: Final = pa.schema(
    [("wording", _TEXT)]
    + [(f"text_{n}", _TEXT) for n in range(4)]
    + [(f"slot_{n}", pa.int8()) for n in range(1, 4)]
    + [(name, _TEXT) for name in ("before", "opening", "each", "after")]
)
_OF_OBJECTS: Final = pa.schema([(name, _TEXT) for name in ("text_0", "text_1", "before", "after")])
_CALLED: Final = pa.schema([(name, _TEXT) for name in ("name", "definite", "indefinite")])


def _prepare(subject: Subject) -> None:
    """Makes the tables of the standard templates, and of the names of categories as texts have them."""
    _prepare_templates(subject)
    if "called" in subject.memory:
        return
    names = subject.found(
        """SELECT DISTINCT object_category AS name FROM objects SEMI JOIN questions USING (object_id)
        UNION SELECT unnest(contrast_categories) FROM questions
        UNION SELECT unnest(list_transform(object_choices, lambda c: c.object_category)) FROM questions"""
    )["name"].to_pylist()
    called = [{"name": name, "definite": definite(name), "indefinite": indefinite(name)} for name in names]
    _create(subject, "called", called, _CALLED)
    subject.memory["called"] = True


def _prepare_templates(subject: Subject) -> None:
    if "templates" in subject.memory:
        return
    bank = Bank.standard()
    of_objects = [name for name in bank.ids() if name.startswith(f"{OBJECT}/")]
    parts = [_of_parts(name, bank.template(name, parts=True)) for name in bank.ids() if name not in of_objects]
    objects = [_of_object(bank.template(name, parts=False)) for name in of_objects]
    _create(subject, "templates_of_parts", parts, _OF_PARTS)
    _create(subject, "templates_of_objects", objects, _OF_OBJECTS)
    subject.memory["templates"] = True


def _of_parts(wording: str, template: Template) -> dict[str, Any]:
    slots = QUESTION_SLOTS[wording.partition("/")[0]]
    before, listing, after = template.answer
    return {
        "wording": wording,
        **{f"text_{n}": text for n, text in enumerate(template.question[::2])},
        **{f"slot_{n}": slots.index(slot) for n, slot in enumerate(template.question[1::2], 1)},
        "before": before,
        "opening": LISTINGS[listing].opening,
        "each": LISTINGS[listing].each,
        "after": after,
    }


def _of_object(template: Template) -> dict[str, Any]:
    return dict(zip(_OF_OBJECTS.names, (*template.question[::2], *template.answer[::2]), strict=True))


def _create(subject: Subject, name: str, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    subject.connection.register(f"{name}_rows", pa.Table.from_pylist(rows, schema))
    try:
        subject.connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM {name}_rows")
    finally:
        subject.connection.unregister(f"{name}_rows")


CHECKS: Final = {
    "wording_known": wording_known,
    "worded_by_template": worded_by_template,
    "object_worded_by_template": object_worded_by_template,
}
