"""Tables of the photographs and of what is in them: images, objects, parts, evidence, attributes, splits."""

from __future__ import annotations

import pyarrow as pa

from schemas.columns import BOX, MASK, STRINGS, Column, Table

#: Null in a version of schema 2 or older that was migrated: what was repaired in a row was not written down then.
_REPAIRS = "Rules that were applied to {}, sorted, one entry for each time; null where it wasn't recorded"

IMAGES = Table(
    "images",
    "a photograph",
    (
        Column(
            "image_id",
            pa.string(),
            "`<source>/<file name without folder and extension>`, with the folder where two files would share it",
        ),
        Column(
            "source",
            pa.string(),
            "Name of the source: `paco`, `partimagenet`, `pascal_part`, `partonomy`, or a plug-in's",
        ),
        Column(
            "source_split",
            pa.string(),
            "The source's own split (`train`, `val`, `test`); empty where it has none",
        ),
        Column(
            "uri",
            pa.string(),
            "Where the photograph is: a path relative to the source's folder of images, or a URL where it isn't on disk",
            nullable=True,
        ),
        Column("file_name", pa.string(), "The file name as the source wrote it"),
        Column("width", pa.int32(), "Width in pixels of the grid that the masks live in"),
        Column("height", pa.int32(), "Height in pixels of the grid that the masks live in"),
        Column(
            "sha256",
            pa.string(),
            "SHA-256 of the photograph's file; null where it isn't on disk",
            nullable=True,
        ),
        Column(
            "phash",
            pa.uint64(),
            "64-bit perceptual hash (DCT) of the upright photograph; near-duplicates differ in few bits",
            nullable=True,
        ),
        Column("license", pa.string(), "Licence of the photograph as the source states it", nullable=True),
        Column(
            "exif_orientation",
            pa.int16(),
            "EXIF orientation of the file (1 upright … 8); null where unknown. Masks are upright where the source transposes",
            nullable=True,
        ),
        Column(
            "photograph",
            pa.string(),
            "Identity of the photograph across sources: `coco/<id>`, `voc/<name>`, `imagenet/<name>`; the image_id where unknown",
        ),
        Column(
            "repairs",
            STRINGS,
            _REPAIRS.format("the photograph and what the source says of it"),
            nullable=True,
        ),
    ),
    key=("image_id",),
)

OBJECTS = Table(
    "objects",
    "an object instance",
    (
        Column("object_id", pa.string(), "`obj_` and 16 hex digits; the first 6 stand for the photograph"),
        Column("image_id", pa.string(), "The photograph (`images`)"),
        Column("source", pa.string(), "Name of the source"),
        Column("object_category", pa.string(), "Canonical name (`object_categories`)"),
        Column("source_category", pa.string(), "The category as the source spells it"),
        Column(
            "bbox",
            BOX,
            "Box of the mask: x, y, width, height in pixels; the source's own box where there is no mask",
            nullable=True,
        ),
        Column("area", pa.int64(), "Pixels of the mask; null without a mask", nullable=True),
        Column(
            "mask",
            MASK,
            "Visible pixels as a run-length mask: size (height, width), COCO's compressed counts",
            nullable=True,
        ),
        Column(
            "mask_origin",
            pa.string(),
            "`annotated`, `union_of_parts` (no object mask in the source), or `none`",
        ),
        Column(
            "merged",
            pa.bool_(),
            "True where the source can't tell instances apart, so that the row may stand for several",
        ),
        Column("n_parts", pa.int32(), "Number of part instances of this object"),
        Column(
            "source_key",
            pa.string(),
            "What the source calls it within the photograph (an annotation id, a place in a file)",
        ),
        Column(
            "repairs",
            STRINGS,
            _REPAIRS.format("its mask, to make it of its parts, or as one is in quarantine"),
            nullable=True,
        ),
    ),
    key=("object_id",),
)

PARTS = Table(
    "parts",
    "a part instance",
    (
        Column("part_id", pa.string(), "`prt_` and 16 hex digits; the first 6 stand for the photograph"),
        Column("object_id", pa.string(), "The object that has it (`objects`)"),
        Column("image_id", pa.string(), "The photograph (`images`)"),
        Column("source", pa.string(), "Name of the source"),
        Column(
            "part_category",
            pa.string(),
            "Canonical name (`part_categories`), without side, position and number where the source's code has them",
        ),
        Column("source_category", pa.string(), "The category as the source spells it"),
        Column("side", pa.string(), "`left` or `right` where the source's code says so", nullable=True),
        Column("position", pa.string(), "`front` or `back` where the source's code says so", nullable=True),
        Column("ordinal", pa.int16(), "Number in the source's code (`wheel_2` → 2)", nullable=True),
        Column("bbox", BOX, "Box of the mask: x, y, width, height in pixels"),
        Column("area", pa.int64(), "Pixels of the mask"),
        Column(
            "mask",
            MASK,
            "Visible pixels as a run-length mask: size (height, width), COCO's compressed counts",
        ),
        Column(
            "match_method",
            pa.string(),
            "`linked` (the source says whose it is), `overlap`, `only_object`, or `union` (its object is the union of its parts)",
        ),
        Column(
            "match_overlap",
            pa.float32(),
            "Share of the part's pixels inside the annotated mask of its object, where that is how it was found; else null",
            nullable=True,
        ),
        Column("source_key", pa.string(), "What the source calls it within the photograph"),
        Column("repairs", STRINGS, _REPAIRS.format("its mask"), nullable=True),
    ),
    key=("part_id",),
)

PART_EVIDENCE = Table(
    "part_evidence",
    "what is known of a part in an object",
    (
        Column("object_id", pa.string(), "The object (`objects`)"),
        Column(
            "part_category",
            pa.string(),
            "Canonical name of a part that the source's vocabulary gives the object's category",
        ),
        Column("status", pa.string(), "`present`, `absent` or `unknown`"),
        Column(
            "why",
            pa.string(),
            "`annotated`, `negative_label`, `exhaustive_label`, `implausible`, `verified` or `unannotated`",
        ),
        Column("source", pa.string(), "Name of the source"),
    ),
    key=("object_id", "part_category"),
)

ATTRIBUTES = Table(
    "attributes",
    "an attribute of an object or part",
    (
        Column("annotation_id", pa.string(), "object_id or part_id"),
        Column(
            "attribute_type",
            pa.string(),
            "`color`, `pattern_marking`, `material`, `transparency`, `dominant_color`",
        ),
        Column("attribute", pa.string(), "The attribute; `unknown` where the annotators could not tell"),
        Column("source", pa.string(), "Name of the source"),
    ),
    key=("annotation_id", "attribute_type", "attribute"),
)

SPLITS = Table(
    "splits",
    "the split of an image",
    (
        Column("image_id", pa.string(), "The image (`images`)"),
        Column("source", pa.string(), "Name of the source"),
        Column(
            "cluster",
            pa.string(),
            "`pho_` and 16 hex digits: the photograph, across sources and copies. No photograph is in two splits",
        ),
        Column(
            "split",
            pa.string(),
            "`train`, `val`, `test`, or `test_unseen_object`, `test_unseen_part`, `test_unseen_pair`: of photographs that show "
            "what none of `train` and `val` shows",
        ),
        Column(
            "reason",
            pa.string(),
            "`source` (its own source says so), `evaluation_only` (its source only tests), `cluster` (another image of the same "
            "photograph decides), `keyed` (drawn by its hash), `few` (dealt, as few show the same), `first` (it trains so that "
            "its object category does), `unseen_object`, `unseen_part`, `unseen_pair`",
        ),
        Column(
            "held_out",
            pa.string(),
            "What put it in an unseen split: an object category, a part, or `object: part`; null in other splits",
            nullable=True,
        ),
    ),
    key=("image_id",),
)

QUARANTINE = Table(
    "quarantine",
    "a rejected row",
    (
        Column("table_name", pa.string(), "The table that the row would have entered"),
        Column("row_id", pa.string(), "What the source calls the row"),
        Column("source", pa.string(), "Name of the source"),
        Column("rule", pa.string(), "The rule that it broke"),
        Column("reason", pa.string(), "How it broke it"),
        Column("row", pa.string(), "The row as the source has it, as JSON"),
        Column("repairs", STRINGS, _REPAIRS.format("it before it was rejected"), nullable=True),
    ),
    key=(),
)
