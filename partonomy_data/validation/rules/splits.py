"""The splits of the photographs: each whole in one of them, and what is held out unseen in training."""

from __future__ import annotations

from typing import Final

from partonomy_data.splits import REASONS, SPLITS
from partonomy_data.validation.rules.common import doubled, orphans

#: Split → SQL of what an image shows that may be held out for it.
_SHOWN: Final = {
    "test_unseen_object": "SELECT image_id, object_category AS shown FROM objects",
    "test_unseen_part": "SELECT image_id, part_category AS shown FROM parts",
    "test_unseen_pair": """SELECT p.image_id, object_category || ': ' || part_category AS shown
        FROM parts p JOIN objects USING (object_id)""",
}


def _in_several(what: str, called: str) -> str:
    """The images that share `what` with images of another split."""
    return f"""WITH placed AS (SELECT image_id, split, {what} AS shared FROM splits JOIN images USING (image_id))
        SELECT image_id AS row, '{called} ' || shared || ' is in ' || splits_of_it AS reason FROM placed JOIN (
            SELECT shared, string_agg(DISTINCT split, ', ' ORDER BY split) AS splits_of_it FROM placed
            GROUP BY shared HAVING count(DISTINCT split) > 1) USING (shared)"""


def _held_out_is_unseen() -> str:
    """The images of `train` and `val` that show what is held out; what is held out is told by the splits for it."""
    found = (
        f"""SELECT image_id, shown FROM ({shown}) SEMI JOIN (
            SELECT DISTINCT held_out AS shown FROM splits WHERE split = '{split}') USING (shown)"""
        for split, shown in _SHOWN.items()
    )
    return f"""SELECT image_id AS row, 'it is in ' || split || ' and shows ' || shown AS reason
        FROM ({" UNION ALL ".join(found)}) JOIN splits USING (image_id) WHERE split IN ('train', 'val')"""


CHECKS: Final = {
    "key_unique": doubled("splits"),
    "image_exists": orphans("splits", "image_id", "images"),
    "source_of_image": """SELECT image_id AS row, s.source || ', its photograph ' || i.source AS reason
        FROM splits s JOIN images i USING (image_id) WHERE i.source <> s.source""",
    "split_known": f"SELECT image_id AS row, split AS reason FROM splits WHERE split NOT IN {SPLITS}",
    "images_placed": """SELECT image_id AS row FROM images ANTI JOIN splits USING (image_id)
        WHERE EXISTS (SELECT 1 FROM splits)""",
    "asked_images_placed": """SELECT image_id AS row, count(*) || ' questions' AS reason
        FROM questions ANTI JOIN splits USING (image_id) GROUP BY 1""",
    "one_split_of_cluster": _in_several("cluster", "cluster"),
    "one_split_of_photograph": _in_several("photograph", "photograph"),
    "one_split_of_file": _in_several("sha256", "the file of SHA-256"),
    "held_out_fits_split": """SELECT image_id AS row, split || ': ' || coalesce(held_out, 'nothing') AS reason FROM splits
        WHERE (held_out IS NOT NULL) <> starts_with(split, 'test_unseen_')""",
    "held_out_is_unseen": _held_out_is_unseen(),
    "reason_fits_split": f"""SELECT image_id AS row, split || ': ' || reason AS reason FROM splits
        WHERE reason NOT IN {REASONS} OR (starts_with(split, 'test_unseen_') OR starts_with(reason, 'unseen_'))
            AND split <> 'test_' || reason
        OR reason = 'evaluation_only' AND split <> 'test' OR reason = 'first' AND split <> 'train'""",
}
