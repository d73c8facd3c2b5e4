"""PACO's attributes with their ids, and further ones that a version has: those of other readers of the same format.

Format: facebookresearch/paco, docs/PACO_DATASET.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from partonomy_data.store.reader import Store

#: PACO's 59 attributes in the order of their ids, by type; blanks between them.
PACO: Final = {
    "color": (
        "black light_blue blue dark_blue light_brown brown dark_brown light_green green dark_green light_grey grey dark_grey"
        " light_orange orange dark_orange light_pink pink dark_pink light_purple purple dark_purple light_red red dark_red"
        " white light_yellow yellow dark_yellow other(color)"
    ),
    "pattern_marking": (
        "plain striped dotted checkered woven studded perforated floral other(pattern_marking) logo text"
    ),
    "material": (
        "stone wood rattan fabric crochet wool leather velvet metal paper plastic glass ceramic other(material)"
    ),
    "transparency": "opaque translucent transparent other(transparency)",
}
#: What annotators said who could not tell: a flag of the annotation in PACO, and no attribute.
UNKNOWN: Final = "unknown"

_FURTHER: Final = """
SELECT DISTINCT CASE attribute_type WHEN 'dominant_color' THEN 'color' ELSE attribute_type END AS attribute_type, attribute
FROM attributes WHERE attribute_type NOT IN ('instance_id', 'blur_level') AND attribute <> 'unknown' ORDER BY ALL
"""


@dataclass(frozen=True, slots=True)
class Attributes:
    """Attributes by id: `types[n]` and `names[n]` are those of id n."""

    types: tuple[str, ...]
    names: tuple[str, ...]

    def rows(self) -> list[dict[str, Any]]:
        """The rows of `attributes`."""
        return [{"supercategory": "ATTR", "id": number, "name": name} for number, name in enumerate(self.names)]

    def by_type(self) -> dict[str, list[int]]:
        """`attr_type_to_attr_idxs`: type → ids. Attributes that had no type (`attribute`) are left out, as they were."""
        return {
            kind: [number for number, other in enumerate(self.types) if other == kind]
            for kind in dict.fromkeys(self.types)
            if kind != "attribute"
        }


def attributes(store: Store) -> Attributes:
    """PACO's attributes, and after them those that only this version has, by type and name."""
    found = [(kind, name) for kind, names in PACO.items() for name in names.split()]
    known = set(found)
    further = store.select(_FURTHER).rows.to_pylist()
    found += [pair for row in further if (pair := (row["attribute_type"], row["attribute"])) not in known]
    return Attributes(tuple(kind for kind, _ in found), tuple(name for _, name in found))
