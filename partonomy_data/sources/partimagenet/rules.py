"""The quirks of PartImageNet's files, each a named rule."""

from __future__ import annotations

from partonomy_data.rules import Rule
from partonomy_data.sources import coco_json, files

_PHOTOGRAPHS: tuple[Rule, ...] = (
    Rule(
        "file_name_without_folder",
        "kept",
        "File names have no folder, while the photographs lie in folders of wnids or splits.",
        "Each folder is listed once, and photographs are found by their name without extension.",
    ),
    Rule(
        "extension_varies",
        "kept",
        "The photograph's extension is not the one in the annotations (.JPEG, .jpeg, .jpg, .png).",
        "ImageNet's names are unique without it.",
    ),
    Rule(
        "jpeg_variants",
        "kept",
        "Some of ImageNet's .JPEG files are CMYK, gray, or PNG inside.",
        "They are the right photographs; masks live in the size that the annotations state.",
    ),
    Rule(
        "link_out_of_folder",
        "kept",
        "A folder or file of photographs is a link that leads out of the folder.",
        "It is not followed; its photographs count as missing. Name the real folder with --images.",
    ),
    Rule(
        "file_name_unsafe",
        "quarantined",
        "A file name is absolute, or climbs out of its folder.",
        "It is never opened; the photograph and its annotations can't be placed.",
    ),
    Rule(
        "file_name_unparsable",
        "quarantined",
        "A file name is not <wnid>_<number>.",
        "The object's class is known by the wnid only.",
    ),
    Rule(
        "wnid_unknown",
        "quarantined",
        "A file name begins with a wnid that is none of ImageNet's 1,000 classes.",
        "The class has no name. A mapping file (wnid and words) in the source's folder can give it one.",
    ),
    Rule(
        "same_photograph_twice",
        "quarantined",
        "A photograph is in two splits, or in both releases (which divide the same photographs differently).",
        "The first stays: OOD before Seg, then train, val, test. Else one split would hold what another is tested on.",
    ),
    Rule(
        "duplicate_image",
        "quarantined",
        "Two different rows of `images` have the same id.",
        "The first one is kept; which of them the annotations mean can't be told.",
    ),
    Rule(
        "image_repeated",
        "repaired",
        "A row of `images` is there twice, word for word.",
        "It is read once.",
    ),
    Rule(
        "size_invalid",
        "quarantined",
        "A photograph's width or height is not between 1 and 65,535.",
        "No mask can be checked against it.",
    ),
    Rule(
        "image_without_annotation",
        "kept",
        "A photograph has no annotation at all.",
        "It is kept without objects.",
    ),
)

_OBJECTS: tuple[Rule, ...] = (
    Rule(
        "object_by_wnid",
        "repaired",
        "Only parts are annotated, never their object.",
        "One object for each photograph, of the class that the wnid names; the 11 super-categories are its parents.",
    ),
    Rule(
        "several_instances",
        "kept",
        "Nothing says which parts belong together, and there are more of one (two heads) than one object has.",
        "The object is marked as possibly merged. A part in two pieces looks the same, so nothing is split.",
    ),
    Rule(
        "whole_annotations",
        "kept",
        "The Seg release can have several whole-object annotations in one photograph.",
        "Each is an object; parts are given to them by overlap.",
    ),
    Rule(
        "whole_json_of_parts",
        "kept",
        "A JSON file in a folder of whole objects holds part categories.",
        "It is not a file of objects, and is not read.",
    ),
    Rule(
        "whole_without_parts",
        "quarantined",
        "A whole object is annotated in a photograph that has no usable row in the part annotations of its split.",
        "Its photograph isn't in the data.",
    ),
    Rule(
        "whole_map_unreadable",
        "repaired",
        "The label map of a whole object is damaged, or no label map.",
        "The object's mask is the union of its parts.",
    ),
    Rule(
        "whole_map_size",
        "repaired",
        "The label map of a whole object is not of its photograph's size.",
        "The object's mask is the union of its parts.",
    ),
    Rule(
        "whole_map_empty",
        "repaired",
        "The label map of a whole object is all background.",
        "The object's mask is the union of its parts.",
    ),
    Rule(
        "whole_label_unknown",
        "repaired",
        "The label map of a whole object has values above 158.",
        "Those pixels are not the object's.",
    ),
)

_PARTS: tuple[Rule, ...] = (
    Rule(
        "category_zero",
        "kept",
        "Category ids begin at 0 (Quadruped Head).",
        "0 is an id like any other.",
    ),
    Rule(
        "tier_for_tire",
        "repaired",
        'The tires of cars and bicycles are spelled "Tier".',
        'The part\'s name is "tire"; `source_category` keeps the spelling.',
    ),
    Rule(
        "category_without_part",
        "quarantined",
        "A category is not a super-category followed by a part (the object rows of joint files, say).",
        "Its annotations are no parts.",
    ),
    Rule(
        "category_unknown",
        "quarantined",
        "An annotation's category_id is in no row of `categories`.",
        "It can't be named.",
    ),
    Rule(
        "foreign_supercategory",
        "quarantined",
        "A part is of another super-category than its photograph's class (a bird's wing on a dog).",
        "It isn't part of the object. A class belongs to the super-category of most of its annotations.",
    ),
    Rule(
        "duplicate_annotation_id",
        "quarantined",
        "Two different annotations of a photograph have the same id.",
        "The first one keeps the id.",
    ),
    Rule(
        "annotation_repeated",
        "repaired",
        "An annotation is there twice, word for word.",
        "It is read once.",
    ),
    Rule(
        "crowd_region",
        "quarantined",
        "An annotation has `iscrowd` 1.",
        "It stands for any number of parts, and is none of them.",
    ),
    Rule(
        "area_zero",
        "kept",
        "An annotation states that its area is 0.",
        "Its mask decides: it is kept if the mask has pixels.",
    ),
    Rule(
        "part_in_pieces",
        "kept",
        "A part is in several annotations of a photograph: several feet, or one body behind a fence.",
        "Each is a part instance.",
    ),
)

_LABEL_MAPS: tuple[Rule, ...] = (
    files.UNDECODABLE,
    Rule(
        "json_before_label_map",
        "kept",
        "The Seg release can have both a COCO JSON and label maps of the parts of a split.",
        "The JSON is read, since it tells annotations of the same part apart; the part maps are not.",
    ),
    Rule(
        "size_json",
        "kept",
        "Beside each label map lies a JSON file with the photograph's height and width.",
        "It is not read; the map has them.",
    ),
    Rule(
        "label_map_order",
        "kept",
        "Labels 27, 28, 35, 36, 38 and 39 are in another order in a list that is in use elsewhere.",
        "They are named in the order of the COCO JSON files; which order the maps follow is not known.",
    ),
    Rule(
        "label_map_background",
        "kept",
        "The background is 40 in the maps of parts and 158 in those of whole objects; 0 is a part, or a class.",
        "Those pixels are nobody's, and label 0 is read.",
    ),
    Rule(
        "label_map_regions",
        "kept",
        "A label's pixels may lie in several regions.",
        "A label is one part instance: regions may be instances or pieces, and the map doesn't say which.",
    ),
    Rule(
        "label_unknown",
        "quarantined",
        "A map of parts has values above 40.",
        "They have no name; the other labels are kept.",
    ),
    Rule(
        "label_map_unreadable",
        "quarantined",
        "A label map of parts is damaged, of impossible size, or has colors or 16-bit values.",
        "There is nothing to read. Its header is checked before its pixels are decoded.",
    ),
)

RULES: tuple[Rule, ...] = (*coco_json.RULES, *_PHOTOGRAPHS, *_OBJECTS, *_PARTS, *_LABEL_MAPS)
