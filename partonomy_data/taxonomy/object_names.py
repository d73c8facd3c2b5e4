"""Object categories of all sources → canonical names that keep different things apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set

from partonomy_data.sources.records import ObjectName, Rejected, Vocabulary
from partonomy_data.taxonomy.lexicon import lexicon
from partonomy_data.taxonomy.overrides import Overrides
from partonomy_data.taxonomy.qualifiers import qualified, senses, without_needless
from partonomy_data.taxonomy.reports import KINDS_KEPT_APART, NAMES_KEPT_APART, QUALIFIER_KEPT, NameReport
from partonomy_data.taxonomy.words import BadName, normalise, qualifier

#: Source → object key → canonical name.
ObjectNames = dict[str, dict[str, str]]


def object_names(
    vocabularies: Mapping[str, Vocabulary],
    overrides: Overrides,
    reports: list[NameReport],
    rejected: dict[str, list[Rejected]],
) -> ObjectNames:
    """The canonical name of every object category; appends to `reports` and `rejected`.

    The name that an override gives stands as it is, so that two categories may be merged by giving them one name.
    """
    given: ObjectNames = {source: {} for source in sorted(vocabularies)}
    full: ObjectNames = {source: {} for source in given}
    for source in given:
        for one in vocabularies[source].objects:
            override = overrides.canonical(source, "object", one.key, one.source_category, one.name)
            if override is not None:
                given[source][one.key] = override
                continue
            try:
                full[source][one.key] = normalise(one.name)
            except BadName as error:
                rejected[source].append(
                    Rejected(table="object_categories", row_id=one.key, rule=error.rule, reason=error.reason)
                )
    apart = _apart_within_sources(vocabularies, full, given, reports)
    _apart_by_kind(apart, vocabularies, reports)
    return {source: {**apart[source], **given[source]} for source in given}


def ancestors(one: ObjectName) -> list[str]:
    """The supercategories of an object, canonical, nearest first, without those that have its own name, or none."""
    found: list[str] = []
    for parent in one.parents:
        try:
            found.append(normalise(parent))
        except BadName:
            continue
    try:
        own = normalise(one.name)
    except BadName:
        own = ""
    return [name for name in dict.fromkeys(found) if name != own]


def is_a(vocabulary: Vocabulary) -> list[tuple[str, str]]:
    """The further is-a pairs of a vocabulary, canonical; a pair with a name that can't be one is left out."""
    found: list[tuple[str, str]] = []
    for child, parent in vocabulary.edges:
        try:
            found.append((normalise(child), normalise(parent)))
        except BadName:
            continue
    return found


def _apart_within_sources(
    vocabularies: Mapping[str, Vocabulary], full: ObjectNames, given: ObjectNames, reports: list[NameReport]
) -> ObjectNames:
    everywhere = senses([*(set(names.values()) for names in full.values()), _supercategories(vocabularies)])
    out: ObjectNames = {}
    for source, names in full.items():
        spelled = {one.key: one.source_category for one in vocabularies[source].objects}
        parents = {one.key: found[0] for one in vocabularies[source].objects if (found := ancestors(one))}
        mine = without_needless(names, everywhere)
        changed = numbered_apart(mine, parents, set(given[source].values()))
        for rule, changes in ((QUALIFIER_KEPT, mine), (NAMES_KEPT_APART, changed)):
            reports += [
                NameReport(source, rule.name, (name,), (spelled[key],))
                for key, name in changes.items()
                if rule is NAMES_KEPT_APART or qualifier(name)
            ]
        out[source] = {**mine, **changed}
    return out


def _supercategories(vocabularies: Mapping[str, Vocabulary]) -> set[str]:
    """The names of all supercategories: a boat called "aircraft (boat)" must not become the aircraft."""
    of_objects = {name for vocabulary in vocabularies.values() for one in vocabulary.objects for name in ancestors(one)}
    return of_objects | {name for vocabulary in vocabularies.values() for pair in is_a(vocabulary) for name in pair}


def numbered_apart(names: Mapping[str, str], parents: Mapping[str, str], taken: Set[str]) -> dict[str, str]:
    """New names for the keys of one source that share theirs: with the parent, where it is theirs alone, else a number.

    The first (in the order of keys) of those that get a number goes without. `taken` are names not to be used.
    """
    keys_of: dict[str, list[str]] = defaultdict(list)
    for key in sorted(names):
        keys_of[names[key]].append(key)
    used = {*taken, *names.values()}
    out: dict[str, str] = {}
    for name in sorted(keys_of):
        if len(keys_of[name]) > 1:
            out.update(_apart(name, keys_of[name], parents, used))
    return out


def _apart(name: str, keys: Sequence[str], parents: Mapping[str, str], used: set[str]) -> dict[str, str]:
    often = Counter(parents.get(key) for key in keys)
    out: dict[str, str] = {}
    left = []
    for key in keys:
        parent = parents.get(key)
        own = qualified(name, parent) if parent and often[parent] == 1 else name
        if own in used:
            left.append(key)
        else:
            used.add(own)
            out[key] = own
    number = 1
    for key in left:
        own = name if number == 1 else qualified(name, str(number))
        while number > 1 and own in used:
            number += 1
            own = qualified(name, str(number))
        number += 1
        used.add(own)
        out[key] = own
    return out


def _apart_by_kind(names: ObjectNames, vocabularies: Mapping[str, Vocabulary], reports: list[NameReport]) -> None:
    """Adds the supercategory to names that are used for things of different kinds (changes `names`)."""
    kinds = lexicon().kinds
    found: dict[str, dict[str, list[tuple[str, ObjectName]]]] = defaultdict(lambda: defaultdict(list))
    for source in names:
        for one in sorted(vocabularies[source].objects, key=lambda one: one.key):
            kind = next((kinds[parent] for parent in ancestors(one) if parent in kinds), None)
            if kind and one.key in names[source]:
                found[names[source][one.key]][kind].append((source, one))
    for name, by_kind in sorted(found.items()):
        if len(by_kind) < 2:
            continue
        for members in by_kind.values():
            parent = ancestors(members[0][1])[0]
            taken = {other for source, _ in members for other in names[source].values()}
            own, number = qualified(name, parent), 2
            while own in taken:  # a source may spell it so itself, for another category
                own, number = qualified(name, f"{parent} {number}"), number + 1
            for source, one in members:
                names[source][one.key] = own
                reports.append(NameReport(source, KINDS_KEPT_APART.name, (own,), (one.source_category,)))
