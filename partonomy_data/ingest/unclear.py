"""Parts that were annotated and went to quarantine: in which objects they aren't known to be absent, and who lacks them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from partonomy_data.ingest.labels import Labels
from partonomy_data.rules import Rule

if TYPE_CHECKING:
    from partonomy_data.ingest.placing import Placed

#: The rule that `repairs` of an object has if what is visible of it isn't known in full.
PART_IN_QUARANTINE: Final = "part_in_quarantine"

RULES = (
    Rule(
        PART_IN_QUARANTINE,
        "kept",
        "A part that is, or may be, the object's is in quarantine, and no mask shows it on the object.",
        "The object stays; as the list of its parts wouldn't be complete, no question is asked about it.",
    ),
)


def note(placed: Placed, labels: Labels) -> None:
    """Fills `placed.unclear`, and notes the rule with the objects that stay, once each.

    A part is the linked object's; without a link, it may be that of each object of its category in the photograph.
    """
    gathered = placed.gathered
    if not gathered.refused:
        return
    objects_of: dict[int, list[int]] = defaultdict(list)
    for i, place_of in enumerate(gathered.object_photo):
        objects_of[place_of].append(i)
    for place_of, refused in gathered.refused:
        label = labels.parts.get(refused.part)
        fit = [i for i in objects_of[place_of] if label is None or gathered.objects[i].category == label.object_key]
        linked = [i for i in fit if gathered.objects[i].key == refused.object_key]
        placed.unclear.update((i, refused.part) for i in linked or fit)
    for i in sorted(_lacking(placed, labels)):
        placed.object_repairs.setdefault(i, []).append(PART_IN_QUARANTINE)
        gathered.tally.rules[PART_IN_QUARANTINE] += 1


def _lacking(placed: Placed, labels: Labels) -> set[int]:
    """The objects that stay, and have no mask of a part that is unclear in them."""
    gathered = placed.gathered
    shown = {
        (i, labels.part(gathered.parts[j].category).part_category) for j, i in enumerate(placed.part_object) if i >= 0
    }
    return {
        i
        for i, key in placed.unclear
        if placed.object_stays[i]
        and any((i, part) not in shown for part in meant(gathered.objects[i].category, key, labels))
    }


def meant(object_key: str, part_key: str, labels: Labels) -> Iterable[str]:
    """The parts that a key in `Placed.unclear` stands for: all of the object's where its row doesn't tell which."""
    label = labels.parts.get(part_key)
    return labels.object(object_key).parts if label is None else (label.part_category,)
