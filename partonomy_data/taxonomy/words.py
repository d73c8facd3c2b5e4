"""One category name → its canonical form: lower case, single spaces, American spelling, head noun in the singular.

The steps, in order; each is a kind of change that `trace` reports:

1. `characters`   Unicode NFKC; controls and invisible characters go; quotes, brackets, template signs become spaces;
                  "&" becomes "and"
2. `case`         lower case
3. `separators`   underscores, slashes, hyphens and runs of white space become one space
4. `typo`         typing errors of published lists ("colied tube" → "coiled tube")
5. `joined`       words that a source ran together ("steeringwheel" → "steering wheel")
6. `spelling`     American spelling ("tyre" → "tire")
7. `plural`       the head noun's singular ("rotor blades" → "rotor blade")
8. `letter`       a leading single letter is joined to its word by a hyphen ("t shirt", "T-Shirt" → "t-shirt"); this is
                  the only hyphen that a canonical name has

A qualifier in parentheses stays: whether it can go depends on the other names (see `taxonomy.names`). Canonical names
are fixed points: `normalise(normalise(x)) == normalise(x)`. They hold letters, marks and digits of any script, single
spaces, hyphens, apostrophes within words, a point between digits, and parentheses: nothing that a template, a shell, a
CSV file or a right-to-left display would take for its own.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from partonomy_data.errors import PartonomyError
from partonomy_data.rules import Rule
from partonomy_data.taxonomy.inflection import singular_phrase
from partonomy_data.taxonomy.lexicon import lexicon

#: The longest name that is believed to be one, in characters.
LONGEST = 200

NAME_EMPTY = Rule(
    "name_empty",
    "quarantined",
    "A category's name is empty, or holds no letter or digit.",
    "There is nothing to call the category; its rows can't be placed in the taxonomy.",
)
NAME_TOO_LONG = Rule(
    "name_too_long",
    "quarantined",
    f"A category's name is longer than {LONGEST} characters.",
    "It is a text, not a name.",
)
RULES: tuple[Rule, ...] = (NAME_EMPTY, NAME_TOO_LONG)


class BadName(PartonomyError):
    """A name that can't be made canonical. `rule` names the rule that it broke, `reason` says how."""

    def __init__(self, rule: Rule, reason: str) -> None:
        self.rule, self.reason = rule.name, reason
        super().__init__(f"{rule.name}: {reason}")


_APOSTROPHES = str.maketrans(dict.fromkeys("`´‘’ʼʹ′＇", "'"))
_DASHES = re.compile(r"[-_/\\\u2010-\u2015\u2212\u2044]")
_PLAIN = re.compile(r"[a-z0-9]+(?: [a-z0-9]+)*\Z")
_QUALIFIER = re.compile(r"\(([^()]*)\)")


def normalise(name: str) -> str:
    """The canonical form of `name`, with what is in parentheses. Raises BadName (`name_empty`, `name_too_long`)."""
    return trace(name)[0]


@lru_cache(maxsize=1 << 16)
def trace(name: str) -> tuple[str, tuple[str, ...]]:
    """The canonical form of `name`, and the kinds of change that led to it, in order. Raises as `normalise` does."""
    if len(name) > LONGEST:
        raise BadName(NAME_TOO_LONG, f"the name has {len(name)} characters: {name[:40]!r}…")
    text, kinds = _clean(name)
    whole, qualifiers = _split(text)
    if not whole:
        # "(automobile)": with nothing before it, the qualifier is the name.
        whole, qualifiers = " ".join(qualifiers), []
    spelled = [_spell(phrase.split(), kinds) for phrase in (whole, *qualifiers)]
    if not spelled[0]:
        raise BadName(NAME_EMPTY, f"no letter or digit in {name!r}")
    canonical = " ".join([spelled[0], *(f"({phrase})" for phrase in spelled[1:])])
    return canonical, tuple(dict.fromkeys(kinds)) if canonical != name else ()


def without_qualifier(canonical: str) -> str:
    """A canonical name without what it has in parentheses: "shell (crew boat)" → "shell"."""
    return _split(canonical)[0]


def qualifier(canonical: str) -> str:
    """What a canonical name has in parentheses: "shell (crew boat)" → "crew boat"; empty where it has none."""
    return " ".join(_split(canonical)[1])


def _split(text: str) -> tuple[str, list[str]]:
    qualifiers = [found.strip() for found in _QUALIFIER.findall(text)]
    return " ".join(_QUALIFIER.sub(" ", text).split()), [q for q in qualifiers if q]


def _clean(name: str) -> tuple[str, list[str]]:
    """Steps 1 to 3."""
    kinds: list[str] = []
    text = name
    for _ in range(8):  # taking a character out can bring together two that NFKC then composes
        if _PLAIN.match(text):
            break
        visible = "".join(ch for ch in text.translate(_APOSTROPHES) if unicodedata.category(ch) != "Cf")
        composed = unicodedata.normalize("NFKC", visible).translate(_APOSTROPHES)
        lower = unicodedata.normalize("NFKC", composed.lower())
        spaced = " ".join(_DASHES.sub(" ", lower).split())
        plain = _balance("".join(_admit(spaced)))
        plain = " ".join(_trim(token) for token in plain.split())
        plain = " ".join(plain.split())
        if plain == text:
            break
        kinds += ["case"] * (composed.lower() != composed) + ["separators"] * (spaced != lower)
        kinds += ["characters"] * (composed != text or plain != spaced)
        text = plain
    return text, kinds


def _admit(text: str) -> list[str]:
    """The characters of `text`, each kept, replaced by a space, or spelled out."""
    out: list[str] = []
    for i, ch in enumerate(text):
        before, after = text[i - 1 : i], text[i + 1 : i + 2]
        if ch == "&":
            out.append(" and ")
        elif ch == ".":
            # Between digits it is a decimal point, after a letter it ends an abbreviation.
            out.append("." if before.isdecimal() and after.isdecimal() else " " * (not before.isalpha()))
        else:
            out.append(ch if ch in " '()" or ch.isalnum() or unicodedata.category(ch)[0] == "M" else " ")
    return out


def _balance(text: str) -> str:
    """`text` with its parentheses spaced, or without any where they don't pair up."""
    bare = _QUALIFIER.sub("", text)
    if "(" in bare or ")" in bare:
        return text.replace("(", " ").replace(")", " ")
    return text.replace("(", " (").replace(")", ") ")


def _trim(token: str) -> str:
    """`token` without quotation marks; an apostrophe stays within a word, and in "o'"."""
    token = re.sub(r"'{2,}", "'", token)
    opening, closing = token[:1] == "(", token[-1:] == ")"
    inner = token.strip("()")
    inner = inner if inner == "o'" else inner.strip("'")
    return "(" * opening + inner + ")" * closing


def _spell(tokens: list[str], kinds: list[str]) -> str:
    """Steps 4 to 8, on one phrase."""
    words = lexicon()
    for kind, table in (("typo", words.typos), ("joined", words.joined), ("spelling", words.american)):
        replaced = [_replace(token, table) for token in tokens]
        if replaced != tokens:
            kinds.append(kind)
        tokens = " ".join(replaced).split()
    alone = singular_phrase(tokens)
    if alone != tokens:
        kinds.append("plural")
    if len(alone) > 1 and len(alone[0]) == 1 and "b" <= alone[0] <= "z" and alone[1] not in ("and", "or"):
        kinds.append("letter")
        alone = [f"{alone[0]}-{alone[1]}", *alone[2:]]
    return " ".join(alone)


def _replace(token: str, table: dict[str, str]) -> str:
    """What `table` has for `token`, its plural in -s and its possessive included."""
    for ending in ("", "s", "'s"):
        stem = token.removesuffix(ending) if ending else token
        if stem in table and (stem != token or not ending):
            return table[stem] + ending
    return token


def is_plain(name: str) -> bool:
    """Whether `name` could be canonical: only its inflection and spelling may differ from what `normalise` gives."""
    return bool(name) and len(name) <= LONGEST and _clean(name.replace("-", "x"))[0] == name.replace("-", "x")
