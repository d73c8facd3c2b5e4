"""How far each rule looks: what must be judged anew where a version follows on one that keeps all rules.

A rule that isn't listed looks at everything (in suites of names, at its own table), so that one which nobody has thought
about is never judged by halves. `tests/validation/test_reach.py` runs the others where only what is said here can be seen.

    photograph    a row is judged by rows that are linked with it (`LINKS`), and by names of the taxonomy (`NAMES`)
    block         a question is judged by those of its block, and by the splits of their photographs
    file          a file is judged by itself, or with the one beside it; what was found is kept under its digest
    whole         all rows are judged together
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, TypeAlias

from partonomy_data.validation.rules.drift import DISTRIBUTIONS
from partonomy_data.validation.suites import VERSION, suites

Scope: TypeAlias = Literal["photograph", "block", "file", "whole"]

#: Table → the columns that link its rows with others, and what a value there stands for. Rows that share one are linked.
LINKS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "images": (("image_id", "image"), ("photograph", "photograph"), ("sha256", "file")),
    "splits": (("image_id", "image"), ("cluster", "cluster")),
    "objects": (("image_id", "image"), ("object_id", "instance")),
    "parts": (("image_id", "image"), ("object_id", "instance"), ("part_id", "instance")),
    "questions": (("image_id", "image"), ("object_id", "instance"), ("question_id", "question")),
    "question_masks": (("question_id", "question"),),
    "part_evidence": (("object_id", "instance"),),
    "attributes": (("annotation_id", "instance"),),
}
#: Tables of names → the columns that rules of the reach `photograph` may look at.
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "object_categories": ("object_category",),
    "part_categories": ("part_category",),
    "part_graph": ("object_category", "part_category"),
    "part_relations": ("part_a", "part_b", "relation", "confidence"),
    "category_graph": ("child", "parent"),
}


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a rule looks."""

    scope: Scope
    tables: frozenset[str] | None = None
    """Of `whole`: the tables that it looks at, None for whatever there is. Of `photograph`: the tables of names."""


#: What looks at whatever there is: files, manifest, other tables.
EVERYTHING: Final = Reach("whole")
_OF_MASK: Final = "mask_decodes mask_canonical mask_not_empty area_of_mask box_of_mask"
#: Suite → rules of the reach `file`.
_BY_FILE: Final[Mapping[str, str]] = {
    "objects": f"{_OF_MASK} covered_by_parts",
    "parts": f"{_OF_MASK} inside_its_union overlap_of_masks mostly_inside_object touches_object",
    VERSION: "files_readable rows_in_their_place numbers_finite files_sorted",
}
#: Suite → rules of the reach `block`.
_BY_BLOCK: Final[Mapping[str, str]] = {
    "questions": "block_is_alike each_choice_right_once block_photographs_differ balanced_after_the_object"
}
#: Suite → rules of the reach `photograph`.
_BY_PHOTOGRAPH: Final[Mapping[str, str]] = {
    "images": """key_unique id_begins_with_source size_positive uri_stays_inside sha256_is_hex hashed_together
        orientation_known photograph_named repairs_known""",
    "objects": """key_unique image_exists source_of_image id_of_key category_known mask_of_origin mask_size_of_image
        parts_counted parts_of_origin source_box_has_extent source_box_in_image repairs_known""",
    "parts": """key_unique object_exists image_of_object source_of_object id_of_key category_known pair_in_graph
        mask_size_of_image method_known method_fits_object overlap_where_matched place_known repairs_known""",
    "part_evidence": """key_unique object_exists source_of_object part_known status_fits_why annotated_has_instance
        instance_is_present present_in_graph""",
    "attributes": "key_unique annotation_exists source_of_annotation attribute_told type_known",
    "splits": """key_unique image_exists source_of_image split_known asked_images_placed one_split_of_cluster
        one_split_of_photograph one_split_of_file held_out_fits_split reason_fits_split""",
    "questions": """id_unique values_known one_correct_choice choices_differ choices_list_parts spans_in_order
        spans_are_the_parts choices_mean_different_parts spans_spell_parts choices_read_alike edits_lead_to_choices
        chance_is_of_choices balanced_is_in_a_block contrasts_fit_type two_turns_fit_type one_correct_object
        region_fits_referent object_exists object_is_offered object_is_not_named categories_are_named
        contrast_is_another_kind unique_is_alone crop_shows_one region_holds_object split_is_of_photograph verified_by_evidence
        answer_is_visible answer_is_complete answer_agrees_with_part_graph contrast_parts_hold named_parts_have_masks
        phrases_are_spelled masks_are_all_instances one_object_of_photograph one_group_of_photograph
        named_always_or_never asked_once region_is_the_objects worded_by_template object_worded_by_template
        wrong_objects_are_wrong wrong_by_more_than_tiny_parts verified_choices_are_labeled""",
    "question_masks": "key_unique question_exists has_masks",
}
_OF_ANSWERS: Final = ("part_graph", "part_relations")
_OF_KINDS: Final = ("object_categories", "category_graph")
#: Rules of the reach `photograph` that look at names, and the tables of these.
_BY_NAMES: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("objects", "category_known"): ("object_categories",),
    ("parts", "category_known"): ("part_categories",),
    ("parts", "pair_in_graph"): ("part_graph",),
    ("part_evidence", "part_known"): ("part_categories",),
    ("part_evidence", "present_in_graph"): ("part_graph",),
    ("questions", "spans_spell_parts"): ("part_relations",),
    ("questions", "choices_mean_different_parts"): ("part_relations",),
    ("questions", "contrast_is_another_kind"): _OF_KINDS,
    ("questions", "unique_is_alone"): _OF_KINDS,
    ("questions", "wrong_objects_are_wrong"): _OF_KINDS,
    ("questions", "wrong_by_more_than_tiny_parts"): _OF_ANSWERS,
    ("questions", "answer_is_visible"): _OF_ANSWERS,
    ("questions", "answer_is_complete"): _OF_ANSWERS,
    ("questions", "answer_agrees_with_part_graph"): _OF_ANSWERS,
    ("questions", "masks_are_all_instances"): _OF_ANSWERS,
    ("questions", "contrast_parts_hold"): _OF_ANSWERS,
}
_SCOPES: Final[Mapping[Scope, Mapping[str, str]]] = {
    "photograph": _BY_PHOTOGRAPH,
    "block": _BY_BLOCK,
    "file": _BY_FILE,
}
#: Suites whose rules look at their own table alone, but for these tables besides.
_TOGETHER: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "object_categories": {
        **dict.fromkeys(("sources_hold", "n_objects_counted", "n_images_counted"), ("objects", "parts")),
        "source_categories_hold": ("objects",),
        "supercategory_in_graph": ("category_graph",),
    },
    "part_categories": {
        **dict.fromkeys(("sources_hold", "n_parts_counted"), ("objects", "parts")),
        "n_object_categories_counted": ("objects", "parts", "part_graph"),
    },
    "part_graph": {
        **dict.fromkeys(
            ("pairs_listed", "sources_hold", "n_objects_counted", "n_with_part_counted"), ("objects", "parts")
        ),
        "object_category_known": ("object_categories",),
        "part_category_known": ("part_categories",),
    },
    "category_graph": {},
    "plausibility": {
        "object_category_known": ("object_categories",),
        "part_category_known": ("part_categories",),
        "graph_is_plausible": ("part_graph",),
        "annotated_as_in_graph": ("part_graph",),
        "call_known": ("llm_calls",),
    },
    "part_relations": {"parts_known": ("part_categories",), "call_known": ("llm_calls",)},
    "llm_calls": {},
    "quarantine": {},
}
#: Other rules of the reach `whole`, and all tables that they look at.
_WHOLE: Final[Mapping[tuple[str, str], Iterable[str]]] = {
    ("questions", "wording_known"): ("questions", "llm_calls"),
    ("questions", "verified_contrasts_are_curated"): ("questions", "part_graph"),
    ("splits", "images_placed"): ("images", "splits"),
    ("splits", "held_out_is_unseen"): ("objects", "parts", "splits"),
    (VERSION, "positions_balanced"): ("questions",),
    (VERSION, "objects_balanced"): ("questions",),
    (VERSION, "blind_accuracy_is_chance"): ("questions",),
    (VERSION, "sources_kept"): ("images",),
    **{(VERSION, f"{what}_unmoved"): (table,) for what, (table, _) in DISTRIBUTIONS.items()},
}


@cache
def reaches() -> Mapping[tuple[str, str], Reach]:
    """(suite, rule) → how far it looks, for every rule that is listed; others have the reach `EVERYTHING`."""
    found = {(suite, one.rule): EVERYTHING for suite, of in suites().items() for one in of.expectations}
    for suite, besides in _TOGETHER.items():
        for _, rule in [key for key in found if key[0] == suite]:
            found[suite, rule] = Reach("whole", frozenset({suite, *besides.get(rule, ())}))
    for key, tables in _WHOLE.items():
        found[key] = Reach("whole", frozenset(tables))
    for scope, listed in _SCOPES.items():
        for key in [(suite, rule) for suite, rules in listed.items() for rule in rules.split()]:
            found[key] = Reach(scope, frozenset(_BY_NAMES.get(key, ())))
    return found
