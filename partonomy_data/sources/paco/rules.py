"""The quirks of PACO's files, each a named rule."""

from __future__ import annotations

from partonomy_data.rules import Rule
from partonomy_data.sources import coco_json

RULES: tuple[Rule, ...] = (
    *coco_json.RULES,
    Rule(
        "crowd_flag_missing",
        "kept",
        "Annotations have no `iscrowd`, as in LVIS.",
        "None is a crowd; the field is not asked for.",
    ),
    Rule(
        "url_not_of_the_web",
        "repaired",
        "A photograph's `coco_url` is no http or https address.",
        "It is left out: it could name a file of whoever opens it.",
    ),
    Rule(
        "object_mask_missing",
        "kept",
        "An object has the empty list as its mask, and a box only (many in PACO-EGO4D, some in PACO-LVIS).",
        "The object is kept with its box; its mask is the union of its parts where it has any.",
    ),
    Rule(
        "object_link_not_own",
        "repaired",
        "An object's `obj_ann_id` is not its own id.",
        "An annotation of an object category is its own object.",
    ),
    Rule(
        "link_dangling",
        "repaired",
        "A part's `obj_ann_id` is missing, or no object of its photograph has that id.",
        "The part's object is looked for by overlap among the objects of the part's object category.",
    ),
    Rule(
        "link_category_mismatch",
        "repaired",
        "A part of one object category is linked to an object of another (`mug:handle` to a cup).",
        "The link is not believed; the part's object is looked for by overlap.",
    ),
    Rule(
        "duplicate_annotation_id",
        "quarantined",
        "Two annotations of a photograph have the same id.",
        "The first one keeps the id, since links to it can't be told apart.",
    ),
    Rule(
        "category_unknown",
        "quarantined",
        "An annotation's category_id is in no row of `categories` (the ids of `part_categories` are another space).",
        "It can't be named.",
    ),
    Rule(
        "category_name_malformed",
        "quarantined",
        "The category of a part is not called `object:part`, or that of an object has a colon in its name, or none at all.",
        "Its annotations can't be named.",
    ),
    Rule(
        "attribute_unknown",
        "quarantined",
        "An attribute id is in no row of `attributes`.",
        "It can't be named; the annotation itself is kept.",
    ),
    Rule(
        "negative_yet_annotated",
        "kept",
        "A category is among the photograph's negative ones, and yet annotated in it.",
        "The mask is believed, the negative label is not.",
    ),
    Rule(
        "category_without_parts",
        "kept",
        "An object category has no part category at all (ball, napkin).",
        "Its objects are kept; there is nothing to ask of their parts.",
    ),
    Rule(
        "part_name_misspelt",
        "repaired",
        "The data spells a part `colied_tube`.",
        "Names are made canonical for all sources alike; `source_category` keeps the spelling.",
    ),
    Rule(
        "file_name_unsafe",
        "quarantined",
        "A file name is absolute, or climbs out of its folder.",
        "It is never opened; the photograph and its annotations can't be placed.",
    ),
    Rule(
        "duplicate_image",
        "quarantined",
        "Two rows of `images` have the same id or the same file name.",
        "The first one is kept; its annotations can't be told from those of the second.",
    ),
    Rule(
        "size_invalid",
        "quarantined",
        "A photograph's width or height is not between 1 and 65,535.",
        "No mask can be checked against it.",
    ),
)
