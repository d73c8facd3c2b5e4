"""Photographs, the objects and parts in them, what is known of parts in objects, and attributes: row by row.

What their masks hold is in `masks`, the splits of the photographs in `splits`, rejected rows in `quarantine`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import pyarrow as pa

from partonomy_data import ids
from partonomy_data.matching import LEAST_IN_BEST, LEAST_IN_ONLY
from partonomy_data.validation.rules import quarantine, splits
from partonomy_data.validation.rules.common import doubled, found, orphans
from partonomy_data.validation.rules.quarantine import repairs_known
from partonomy_data.validation.subject import ROW, Subject

#: Rows whose ids are computed anew at a time.
_BATCH: Final = 65_536

_EVIDENCE: Final = ROW["part_evidence"]
#: What a part may be known to be, and on which grounds.
_KNOWN_WHYS: Final = """(status = 'present' AND why IN ('annotated', 'verified')
    OR status = 'absent' AND why IN ('negative_label', 'exhaustive_label', 'implausible', 'verified')
    OR status = 'unknown' AND why = 'unannotated')"""
_ATTRIBUTE_TYPES: Final = ("color", "pattern_marking", "material", "transparency", "dominant_color")


def id_of_key(subject: Subject, table: str, key: str, make: Callable[[str, str, str], str]) -> pa.Table:
    """Objects or parts whose id isn't what `make` gives of photograph, source key and the photograph's prefix."""
    wrong: list[tuple[str, str]] = []
    prefixes: dict[str, str] = {}
    for own, image_id, source_key in _rows(subject, f"SELECT {key}, image_id, source_key FROM {table}"):
        prefix = prefixes.get(image_id)
        if prefix is None:
            prefix = prefixes[image_id] = ids.image_prefix(image_id)
        due = make(image_id, source_key, prefix)
        if own != due:
            wrong.append((own, f"{source_key!r} in {image_id} is {due}"))
    return found(wrong)


def _rows(subject: Subject, sql: str) -> Iterator[tuple[str, ...]]:
    for batch in subject.connection.sql(sql).to_arrow_reader(_BATCH):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _of_object(column: str, table: str, row: str) -> str:
    """Rows that say something else of `column` than their object does."""
    return f"""SELECT {row} AS row, t.{column} || ', its object ' || o.{column} AS reason
        FROM {table} t JOIN objects o USING (object_id) WHERE o.{column} <> t.{column}"""


def _of_image(table: str, row: str) -> str:
    """Rows that are of another source than their photograph."""
    return f"""SELECT {row} AS row, t.source || ', its photograph ' || i.source AS reason
        FROM {table} t JOIN images i USING (image_id) WHERE i.source <> t.source"""


def _size_of_image(table: str, key: str) -> str:
    return f"""SELECT {key} AS row, 'its image is ' || i.height || 'x' || i.width || ', its mask '
            || coalesce(t.height || 'x' || t.width, 'of no size') AS reason
        FROM (SELECT {key}, image_id, mask.size[1] AS height, mask.size[2] AS width FROM {table}
            WHERE area IS NOT NULL) t JOIN images i USING (image_id)
        WHERE i.height IS DISTINCT FROM t.height OR i.width IS DISTINCT FROM t.width"""


_IMAGES: Final = {
    "key_unique": doubled("images"),
    "id_begins_with_source": """SELECT image_id AS row, 'its source is ' || source AS reason FROM images
        WHERE NOT starts_with(image_id, source || '/') OR length(image_id) <= length(source) + 1 OR source = ''""",
    "size_positive": """SELECT image_id AS row, width || 'x' || height AS reason FROM images
        WHERE width < 1 OR height < 1""",
    "uri_stays_inside": r"""SELECT image_id AS row, uri AS reason FROM images
        WHERE uri IS NOT NULL AND NOT regexp_full_match(uri, '(?i)(https?|ftp|s3|gs|hf)://[^/\s]+/\S*') AND (
            uri = '' OR starts_with(uri, '/') OR regexp_matches(uri, '[\x00-\x1f\x7f\\]')
            OR regexp_matches(uri, '^[A-Za-z][A-Za-z0-9+.-]*:') OR list_contains(string_split(uri, '/'), '..'))""",
    "sha256_is_hex": """SELECT image_id AS row, sha256 AS reason FROM images
        WHERE sha256 IS NOT NULL AND NOT regexp_full_match(sha256, '[0-9a-f]{64}')""",
    "hashed_together": """SELECT image_id AS row, if(sha256 IS NULL, 'no sha256', 'sha256') || if(phash IS NULL, ', no phash',
            ', phash') AS reason FROM images WHERE (sha256 IS NULL) <> (phash IS NULL)""",
    "orientation_known": """SELECT image_id AS row, exif_orientation::VARCHAR AS reason FROM images
        WHERE exif_orientation NOT BETWEEN 1 AND 8""",
    "photograph_named": "SELECT image_id AS row FROM images WHERE photograph = ''",
    "repairs_known": partial(repairs_known, table="images"),
}

_OBJECTS: Final = {
    "key_unique": doubled("objects"),
    "image_exists": orphans("objects", "image_id", "images"),
    "source_of_image": _of_image("objects", "object_id"),
    "id_of_key": partial(id_of_key, table="objects", key="object_id", make=ids.object_id),
    "category_known": orphans("objects", "object_category", "object_categories"),
    "mask_of_origin": """SELECT object_id AS row, 'its origin is ' || mask_origin || if(area IS NULL, ', it has no mask',
            ', it has a mask') AS reason FROM objects WHERE mask_origin NOT IN ('annotated', 'union_of_parts', 'none')
        OR (mask_origin = 'none') <> (mask IS NULL)""",
    "mask_size_of_image": _size_of_image("objects", "object_id"),
    "parts_counted": """SELECT object_id AS row, 'it has ' || coalesce(p.n, 0) || ' parts, n_parts is ' || n_parts AS reason
        FROM objects LEFT JOIN (SELECT object_id, count(*) AS n FROM parts GROUP BY 1) p USING (object_id)
        WHERE coalesce(p.n, 0) <> n_parts""",
    "parts_of_origin": """SELECT object_id AS row, 'its origin is ' || mask_origin || ', it has ' || n_parts || ' parts' AS reason
        FROM objects WHERE mask_origin = 'none' AND n_parts > 0 OR mask_origin = 'union_of_parts' AND n_parts < 1""",
    "source_box_has_extent": """SELECT object_id AS row, bbox::VARCHAR AS reason FROM objects
        WHERE mask IS NULL AND NOT (isfinite(bbox[1] + bbox[2] + bbox[3] + bbox[4]) AND bbox[3] > 0 AND bbox[4] > 0)""",
    "source_box_in_image": """SELECT object_id AS row, bbox::VARCHAR || ' in ' || width || 'x' || height AS reason
        FROM objects JOIN images USING (image_id)
        WHERE mask IS NULL AND isfinite(bbox[1] + bbox[2] + bbox[3] + bbox[4]) AND (bbox[1] < -1 OR bbox[2] < -1
            OR bbox[1] + bbox[3] > width + 1 OR bbox[2] + bbox[4] > height + 1)""",
    "repairs_known": partial(repairs_known, table="objects"),
}

_PARTS: Final = {
    "key_unique": doubled("parts"),
    "object_exists": orphans("parts", "object_id", "objects"),
    "image_of_object": _of_object("image_id", "parts", "t.part_id"),
    "source_of_object": _of_object("source", "parts", "t.part_id"),
    "id_of_key": partial(id_of_key, table="parts", key="part_id", make=ids.part_id),
    "category_known": orphans("parts", "part_category", "part_categories"),
    "pair_in_graph": """SELECT part_id AS row, o.object_category || ': ' || part_category AS reason
        FROM parts JOIN objects o USING (object_id)
        ANTI JOIN part_graph g ON g.object_category = o.object_category AND g.part_category = parts.part_category""",
    "mask_size_of_image": _size_of_image("parts", "part_id"),
    "method_known": """SELECT part_id AS row, match_method AS reason FROM parts
        WHERE match_method NOT IN ('linked', 'overlap', 'only_object', 'union')""",
    "method_fits_object": """SELECT part_id AS row, match_method || ', but its object''s mask is ' || mask_origin AS reason
        FROM parts JOIN objects USING (object_id) WHERE match_method = 'union' AND mask_origin <> 'union_of_parts'""",
    "overlap_where_matched": f"""SELECT part_id AS row, match_method || ', overlap '
            || coalesce(match_overlap::VARCHAR, 'not told') AS reason
        FROM parts JOIN objects USING (object_id)
        WHERE (match_overlap IS NOT NULL) <> (match_method IN ('overlap', 'only_object') AND mask_origin = 'annotated')
        OR match_method = 'overlap' AND match_overlap < {LEAST_IN_BEST} - 1e-6
        OR match_method = 'only_object' AND match_overlap < {LEAST_IN_ONLY} - 1e-6 OR match_overlap > 1""",
    "place_known": """SELECT part_id AS row, concat_ws(' ', side, position, ordinal) AS reason FROM parts
        WHERE side NOT IN ('left', 'right') OR position NOT IN ('front', 'back') OR ordinal < 0""",
    "repairs_known": partial(repairs_known, table="parts"),
}

_PART_EVIDENCE: Final = {
    "key_unique": doubled("part_evidence"),
    "object_exists": orphans("part_evidence", "object_id", "objects"),
    "source_of_object": _of_object("source", "part_evidence", "t.object_id || ' / ' || t.part_category"),
    "status_fits_why": f"""SELECT {_EVIDENCE} AS row, status || ', ' || why AS reason FROM part_evidence
        WHERE NOT {_KNOWN_WHYS}""",
    "annotated_has_instance": f"""SELECT {_EVIDENCE} AS row FROM part_evidence
        ANTI JOIN parts USING (object_id, part_category) WHERE why = 'annotated'""",
    "instance_is_present": f"""SELECT {_EVIDENCE} AS row, coalesce('it says ' || status || ', ' || why, 'there is no row')
            AS reason
        FROM (SELECT DISTINCT object_id, part_category FROM parts) LEFT JOIN part_evidence USING (object_id, part_category)
        WHERE status IS DISTINCT FROM 'present' OR why IS DISTINCT FROM 'annotated'""",
    "part_known": orphans("part_evidence", "part_category", "part_categories"),
    "present_in_graph": f"""SELECT {_EVIDENCE} AS row, object_category AS reason FROM (
            SELECT e.object_id, e.part_category, o.object_category FROM part_evidence e JOIN objects o USING (object_id)
            WHERE status = 'present')
        ANTI JOIN part_graph USING (object_category, part_category)""",
}

_ATTRIBUTES: Final = {
    "key_unique": doubled("attributes"),
    "annotation_exists": f"""SELECT {ROW["attributes"]} AS row FROM attributes ANTI JOIN (
            SELECT object_id AS annotation_id FROM objects UNION ALL SELECT part_id FROM parts) USING (annotation_id)""",
    "source_of_annotation": f"""SELECT {ROW["attributes"]} AS row, a.source || ', not ' || t.source AS reason
        FROM attributes t JOIN (SELECT object_id AS annotation_id, source FROM objects
            UNION ALL SELECT part_id, source FROM parts) a USING (annotation_id) WHERE a.source <> t.source""",
    "attribute_told": f"SELECT {ROW['attributes']} AS row FROM attributes WHERE trim(attribute) = ''",
    "type_known": f"SELECT {ROW['attributes']} AS row FROM attributes WHERE attribute_type NOT IN {_ATTRIBUTE_TYPES}",
}

CHECKS: Final = {
    "images": _IMAGES,
    "objects": _OBJECTS,
    "parts": _PARTS,
    "part_evidence": _PART_EVIDENCE,
    "attributes": _ATTRIBUTES,
    "splits": splits.CHECKS,
    "quarantine": quarantine.CHECKS,
}
