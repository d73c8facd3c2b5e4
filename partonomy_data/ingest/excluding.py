"""Objects on the list of exclusions, and the parts that were found to be theirs, taken out together.

They are taken out once parts are matched: an excluded object's parts would else look for another whole, or become one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from partonomy_data.ingest.placing import Placed


def take_out(placed: Placed) -> None:
    """Sends excluded objects, those made of parts too, and their parts to quarantine (`excluded`)."""
    gathered = placed.gathered
    gone = {i for i, own in enumerate(gathered.object_ids) if own in gathered.excluded}
    for i in sorted(gone):
        thing, photo = gathered.objects[i], gathered.photos[gathered.object_photo[i]]
        placed.object_stays[i] = False
        reason = f"{gathered.object_ids[i]} is on the list of exclusions"
        repairs = placed.object_repairs.get(i, ())
        gathered.reject("objects", f"{photo.image_id}#{thing.key}", "excluded", reason, thing, repairs)
    for j, i in enumerate(placed.part_object):
        if i in gone:
            part, photo = gathered.parts[j], gathered.photos[gathered.part_photo[j]]
            placed.part_object[j] = -1
            reason = f"its object, {gathered.objects[i].key!r}, is on the list of exclusions"
            repairs = placed.part_repairs.get(j, ())
            gathered.reject("parts", f"{photo.image_id}#{part.key}", "excluded", reason, part, repairs)
