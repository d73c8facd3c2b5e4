"""What the questions of a shard rest on beside its instances: all that can change them is here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import pyarrow as pa

from partonomy_data.questions import keyed
from partonomy_data.questions.bank import Proposed
from partonomy_data.questions.claims import CONFIDENT, Claim, Claims, claims, doubts
from partonomy_data.questions.contrasts import contrast_names
from partonomy_data.questions.inputs import Inputs
from partonomy_data.questions.kinds import Kinds
from partonomy_data.questions.settings import QuestionSettings
from partonomy_data.sources.files import digest
from partonomy_data.splits import HeldOut
from partonomy_data.taxonomy.algebra import PartRelations

#: Splits that questions are asked in to measure a model, one object of a photograph in each.
TRAINING = frozenset({"train"})

#: So many categories beside the siblings are looked at for an object question.
_MOST_COUSINS = 24


class Context(msgspec.Struct, frozen=True):
    """What a worker needs to make the questions of one shard: a family of categories in one source and split."""

    source: str
    split: str
    family: str
    settings: QuestionSettings
    related: dict[str, list[str]]
    """Part → the parts that it is related to, with any confidence."""
    contrasts: dict[str, list[str]]
    """Category → its contrast categories, the most instructive first."""
    claims: dict[str, Claim]
    """Contrast category → what may be said of the shard's parts."""
    siblings: dict[str, list[str]]
    """Category → categories that an object question may offer beside it: of the same source, which tells them apart."""
    cousins: dict[str, list[str]]
    """Likewise others, those of the same family first: for where there are too few siblings."""
    relatives: dict[str, list[str]]
    """Category → broader and narrower ones."""
    templates: tuple[Proposed, ...] = ()
    """The proposed templates that word the questions beside the standard ones."""

    @property
    def evaluation(self) -> bool:
        """Whether the split is one that models are measured on."""
        return self.split not in TRAINING


class Taxonomy:
    """The taxonomy of a version, as far as questions rest on it."""

    def __init__(self, inputs: Inputs, settings: QuestionSettings) -> None:
        relations = inputs.taxonomy("part_relations")
        self.settings = settings
        graph = inputs.taxonomy("category_graph")
        self.kinds = Kinds.of_table(graph)
        names = inputs.taxonomy("object_categories").select(["object_category", "sources"]).to_pylist()
        self.categories = tuple(sorted(row["object_category"] for row in names))
        self.sources = {row["object_category"]: frozenset(row["sources"]) for row in names}
        self.relatives = self.kinds.relatives(self.categories)
        self.claims: Claims = claims(
            inputs.taxonomy("part_graph"),
            inputs.taxonomy("plausibility"),
            relations,
            self.kinds,
            settings.curated_sources,
        )
        # No choice is wrong for the reason alone that a language model keeps two names apart.
        self.any_relation = PartRelations.of_table(pa.concat_tables([relations, doubts(relations)]))
        self.sure_relation = PartRelations.of_table(relations, least=CONFIDENT)
        #: Of all that `kinds`, `relatives` and the relations follow from.
        self.digest = digest(self.categories, keyed.table_digest(graph), keyed.table_digest(relations))

    def context(
        self,
        source: str,
        split: str,
        family: str,
        parts: Mapping[str, frozenset[str]],
        held_out: HeldOut,
        templates: Sequence[Proposed] = (),
    ) -> Context:
        """The context of a shard whose categories have the given `parts`."""
        barred = frozenset[str]() if split.startswith("test_unseen") else held_out.objects
        known = frozenset[str]().union(*parts.values())
        found = {
            category: contrast_names(category, names, self.claims, self.kinds, barred)
            for category, names in sorted(parts.items())
        }
        return Context(
            source=source,
            split=split,
            family=family,
            settings=self.settings,
            related={part: sorted(known.intersection(self.any_relation.related(part))) for part in sorted(known)},
            contrasts=found,
            claims={
                name: self._claim(name, known) for name in sorted({name for one in found.values() for name in one})
            },
            siblings={
                category: sorted(one for one in self._siblings(category) - barred if source in self.sources[one])
                for category in sorted(parts)
            },
            cousins={
                category: [one for one in self._cousins(source, category) if one not in barred]
                for category in sorted(parts)
            },
            relatives={category: sorted(self.relatives[category]) for category in self.categories},
            templates=tuple(sorted(templates, key=lambda one: (one.question_type, one.id))),
        )

    def _cousins(self, source: str, category: str) -> list[str]:
        """Categories of the source that are no siblings, those of the same family first; the name decides which."""
        near = self._siblings(category)
        some = [
            one
            for one in self.categories
            if source in self.sources[one] and one not in near and not self.kinds.related(one, category)
        ]
        family = self.kinds.family(category)
        return sorted(some, key=lambda one: (self.kinds.family(one) != family, keyed.number(category, one)))[
            :_MOST_COUSINS
        ]

    def _siblings(self, category: str) -> frozenset[str]:
        return self.kinds.siblings(category).intersection(self.categories)

    def _claim(self, category: str, parts: frozenset[str]) -> Claim:
        row = self.claims.row(category)
        names = sorted(parts)
        columns = self.claims.columns(names)
        has = {self.claims.parts[place] for place in np.flatnonzero(self.claims.has[row])}
        shared = {
            part: self._own_name(part, has)
            for part, column in zip(names, columns, strict=True)
            if column >= 0 and self.claims.shared[row, column]
        }
        unsettled = frozenset(
            part
            for part, column in zip(names, columns, strict=True)
            if column < 0 or self.claims.unsettled[row, column]
        )
        heads = {part: own for part, own in shared.items() if self.sure_relation.relation(part, own) == "narrower"}
        judged = frozenset(
            part for part, column in zip(names, columns, strict=True) if column >= 0 and self.claims.judged[row, column]
        )
        return Claim(shared, heads, unsettled, bool(self.claims.curated[row]), judged)

    def _own_name(self, part: str, has: set[str]) -> str:
        """What a category with the parts `has` calls the part: the same name rather than a broader or narrower one."""
        if part in has:
            return part
        of = self.sure_relation.related(part)
        order = {"same": 0, "narrower": 1, "broader": 2}
        return min((order[of[name]], name) for name in has.intersection(of))[1]
