"""What `export.coco` asks DuckDB: each row of the JSON as its text, for a slice of photographs at a time.

The ids of a photograph's objects and parts begin with its own six hex digits, so that a range of these is a slice that holds
photographs whole. What a query needs of memory is then that of a slice, however large the version is.
"""

from __future__ import annotations

from typing import Final

#: Category ids: objects from 1 in the order of their names, then `object:part`. With numbers of photographs and instances over
#: all splits, so that the rows are the same in every file of a version.
CATEGORY_ROWS: Final = """
WITH declared AS (SELECT object_category, part_category FROM part_graph UNION
    SELECT o.object_category, p.part_category FROM parts p JOIN objects o USING (object_id)),
n_wholes AS (SELECT object_category, count(*) AS n, count(DISTINCT image_id) AS n_images FROM objects GROUP BY ALL),
n_pairs AS (SELECT o.object_category, p.part_category, count(*) AS n, count(DISTINCT p.image_id) AS n_images
    FROM parts p JOIN objects o USING (object_id) GROUP BY ALL),
every AS (SELECT c.object_category, NULL AS part_category, w.n, w.n_images
    FROM object_categories c LEFT JOIN n_wholes w USING (object_category)
    UNION ALL SELECT object_category, part_category, n, n_images
    FROM declared LEFT JOIN n_pairs USING (object_category, part_category))
SELECT row_number() OVER (ORDER BY part_category IS NOT NULL, object_category, part_category) AS id, object_category,
    part_category, coalesce(n, 0) AS n, coalesce(n_images, 0) AS n_images FROM every ORDER BY id
"""

#: Photographs are numbered in the order of their ids, over all splits, so that a number is that of one photograph.
_WANTED: Final = """wanted AS (
    SELECT image_id, number FROM (SELECT image_id, row_number() OVER (ORDER BY image_id) AS number FROM images)
    SEMI JOIN (SELECT image_id FROM splits WHERE split = $split) USING (image_id))"""
#: The slice (`$low` to `$high`, digits of photographs) with its categories (`$wholes`, `$pair_wholes`, `$pair_parts` by id).
_SLICE: Final = f"""{_WANTED},
things AS (SELECT o.*, number FROM objects o JOIN wanted USING (image_id)
    WHERE object_id >= 'obj_' || $low AND object_id < 'obj_' || $high),
pieces AS (SELECT p.*, number FROM parts p JOIN wanted USING (image_id)
    WHERE part_id >= 'prt_' || $low AND part_id < 'prt_' || $high),
wholes AS (SELECT unnest($wholes) AS object_category, unnest(range(1, len($wholes) + 1)) AS id),
pairs AS (SELECT unnest($pair_wholes) AS object_category, unnest($pair_parts) AS part_category,
    unnest(range(len($wholes) + 1, len($wholes) + len($pair_parts) + 1)) AS id)"""

_IMAGE: Final = """to_json({{'id': w.number,
    'file_name': concat(i.source, '/', CASE WHEN i.uri IS NULL OR i.uri LIKE 'http%://%' THEN i.file_name ELSE i.uri END),
    'width': i.width, 'height': i.height,
    'license': CASE WHEN regexp_full_match(i.license, 'coco/[0-9]{{1,4}}') THEN i.license[6:]::INTEGER END,
    'coco_url': CASE WHEN i.uri LIKE 'http%://%' THEN i.uri END,
    'neg_category_ids': {negative}, 'not_exhaustive_category_ids': {open_ended},
    'neg_category_ids_attrs': [], 'not_exhaustive_category_ids_attrs': []}})::VARCHAR AS line"""
_FEDERATED: Final = _IMAGE.format(negative="coalesce(f.negative, [])", open_ended="coalesce(f.open_ended, [])")

#: Rows of `images`, of those that have objects. The lists of category ids are LVIS's federated labels, made of `part_evidence`: a
#: category is negative where every object that could have it lacks it, and not exhaustive where one could have more than is
#: annotated. Whether all objects of a category are annotated isn't known, so that no object category is said to be exhaustive.
IMAGES: Final = f"""
WITH {_SLICE},
shown AS (SELECT image_id, object_category, count(*) AS n FROM things GROUP BY ALL),
seen AS (SELECT DISTINCT t.image_id, t.object_category, p.part_category FROM pieces p JOIN things t USING (object_id)),
told AS (SELECT t.image_id, t.object_category, e.part_category, count(*) FILTER (e.status <> 'unknown') AS n_known,
        count(*) FILTER (e.status = 'absent') AS n_absent
    FROM part_evidence e JOIN things t USING (object_id)
    WHERE e.object_id >= 'obj_' || $low AND e.object_id < 'obj_' || $high GROUP BY ALL),
labels AS (
    SELECT t.image_id, c.id, s.part_category IS NULL AND t.n_absent = h.n AS negative,
        s.part_category IS NOT NULL AND t.n_known < h.n AS open_ended
    FROM told t JOIN shown h USING (image_id, object_category) JOIN pairs c USING (object_category, part_category)
        LEFT JOIN seen s USING (image_id, object_category, part_category)
    UNION ALL
    SELECT image_id, c.id, false, true FROM shown JOIN wholes c USING (object_category)),
federated AS (SELECT image_id, list(id ORDER BY id) FILTER (negative) AS negative,
    list(id ORDER BY id) FILTER (open_ended) AS open_ended FROM labels GROUP BY ALL),
placed AS (SELECT image_id, min(object_id)[5:10] AS digits FROM things GROUP BY ALL)
SELECT {_FEDERATED} FROM images i JOIN wanted w USING (image_id) JOIN federated f USING (image_id)
JOIN placed p USING (image_id) ORDER BY p.digits, w.number
"""
#: Rows of `images`, of those without objects.
BARE_IMAGES: Final = f"""
WITH {_WANTED} SELECT {_IMAGE.format(negative="[]", open_ended="[]")} FROM images i JOIN wanted w USING (image_id)
ANTI JOIN objects o ON o.image_id = i.image_id ORDER BY w.number
"""

_GIVEN: Final = """CASE WHEN source = 'paco' AND regexp_full_match(source_key, '[1-9][0-9]{0,8}')
    THEN source_key::BIGINT END AS given"""

#: How many annotations a split has, whether the ids that PACO gave are told apart in it (those of PACO-LVIS and PACO-EGO4D
#: together aren't), and the largest.
SUMMARY: Final = f"""
WITH {_WANTED}, keyed AS (SELECT {_GIVEN} FROM objects SEMI JOIN wanted USING (image_id)
    UNION ALL SELECT {_GIVEN} FROM parts SEMI JOIN wanted USING (image_id))
SELECT count(*) AS n, count(given) = count(DISTINCT given) AS distinct_ids, coalesce(max(given), 0) AS largest FROM keyed
"""

#: An object without a mask is a crowd that fills its box: COCOeval can't draw `[]`, and a crowd is neither missed nor,
#: where it is found, a false alarm. The reader of PACO knows it again.
_BOX: Final = "coalesce(a.bbox::DOUBLE[], [0, 0, 0, 0]::DOUBLE[])"
_OUTLINE: Final = f"""list_transform([{_BOX}], lambda b:
    [b[1], b[2], b[1] + b[3], b[2], b[1] + b[3], b[2] + b[4], b[1], b[2] + b[4]])"""

_ROW: Final = """to_json({{'id': k.number, 'image_id': a.number, 'category_id': c.id, 'bbox': {box},
    'area': coalesce(a.area, round(a.bbox[3] * a.bbox[4])::BIGINT, 0),
    'segmentation': CASE WHEN a.mask IS NULL THEN to_json({outline}) ELSE to_json(a.mask) END,
    'iscrowd': {crowd}, 'obj_ann_id': {whole}, 'attribute_ids': coalesce(d.ids, []),
    'dom_color_ids': coalesce(d.dominant, []), 'unknown_color': coalesce(d.color, 0),
    'unknown_pattern_marking': coalesce(d.pattern_marking, 0), 'unknown_material': coalesce(d.material, 0),
    'unknown_transparency': coalesce(d.transparency, 0){more}}})::VARCHAR"""
#: Only in PACO-EGO4D.
MORE: Final = """, 'instance_id': CASE WHEN regexp_full_match(d.instance_id, '[1-9][0-9]{0,14}')
    THEN to_json(d.instance_id::BIGINT) ELSE to_json(d.instance_id) END, 'blur_level': TRY_CAST(d.blur_level AS INTEGER)"""


def rows_of_annotations(more: str) -> str:
    """Rows of `annotations`, of each photograph its objects, then its parts; and whether each got an id that wasn't its own.

    Parameters: those of a slice; `keep` (whether PACO's ids stay) and `first` (the least id that is given otherwise); `types`
    and `names` of attributes, by id. `more` is MORE, or empty.
    """
    crowd = "(a.merged OR a.mask IS NULL)::INTEGER"
    whole = _ROW.format(crowd=crowd, whole="k.number", more=more, box=_BOX, outline=_OUTLINE)
    part = _ROW.format(crowd="0", whole="w.number", more=more, box=_BOX, outline=_OUTLINE)
    return f"""
WITH {_SLICE},
keyed AS (SELECT object_id AS own_id, false AS is_part, {_GIVEN} FROM things
    UNION ALL SELECT part_id, true, {_GIVEN} FROM pieces),
keys AS (SELECT own_id, row_number() OVER (ORDER BY own_id[5:10], is_part, own_id) AS place,
    NOT ($keep AND given IS NOT NULL) AS is_new,
    coalesce(CASE WHEN $keep THEN given END, $first - 1 + row_number() OVER (PARTITION BY $keep AND given IS NOT NULL
        ORDER BY own_id[5:10], is_part, own_id)) AS number FROM keyed),
vocabulary AS (SELECT unnest($types) AS attribute_type, unnest($names) AS attribute, unnest(range(len($types))) AS id),
described AS (SELECT a.annotation_id,
        list(DISTINCT v.id ORDER BY v.id) FILTER (v.id IS NOT NULL AND a.attribute_type <> 'dominant_color') AS ids,
        list(DISTINCT v.id ORDER BY v.id) FILTER (v.id IS NOT NULL AND a.attribute_type = 'dominant_color') AS dominant,
        max((a.attribute_type = 'color' AND a.attribute = 'unknown')::INTEGER) AS color,
        max((a.attribute_type = 'pattern_marking' AND a.attribute = 'unknown')::INTEGER) AS pattern_marking,
        max((a.attribute_type = 'material' AND a.attribute = 'unknown')::INTEGER) AS material,
        max((a.attribute_type = 'transparency' AND a.attribute = 'unknown')::INTEGER) AS transparency,
        max(a.attribute) FILTER (a.attribute_type = 'instance_id') AS instance_id,
        max(a.attribute) FILTER (a.attribute_type = 'blur_level') AS blur_level
    FROM attributes a LEFT JOIN vocabulary v ON v.attribute = a.attribute
        AND v.attribute_type = CASE a.attribute_type WHEN 'dominant_color' THEN 'color' ELSE a.attribute_type END
    WHERE a.annotation_id[5:] >= $low AND a.annotation_id[5:] < $high GROUP BY ALL),
lines AS (
    SELECT k.place, k.is_new, {whole} AS line FROM things a JOIN keys k ON k.own_id = a.object_id
        JOIN wholes c USING (object_category) LEFT JOIN described d ON d.annotation_id = a.object_id
    UNION ALL
    SELECT k.place, k.is_new, {part} FROM pieces a JOIN keys k ON k.own_id = a.part_id JOIN things o USING (object_id)
        JOIN keys w ON w.own_id = a.object_id
        JOIN pairs c ON c.object_category = o.object_category AND c.part_category = a.part_category
        LEFT JOIN described d ON d.annotation_id = a.part_id)
SELECT line, is_new FROM lines ORDER BY place
"""
