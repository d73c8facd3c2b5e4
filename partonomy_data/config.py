"""What a build is asked to do, from keyword arguments, the command line, or a YAML file."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from partonomy_data.errors import UsageError
from partonomy_data.llm.settings import LlmSettings
from partonomy_data.questions.settings import QuestionSettings
from partonomy_data.validation.settings import ValidationSettings


class SourceSetting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a source is."""

    path: str
    images: str | None = None
    """Where its photographs are, if not in their usual place under `path`."""

    def folders(self) -> list[str]:
        """The places that it is read from."""
        return [self.path] if self.images is None else [self.path, self.images]


class BuildConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All that decides what a build publishes, and how much of the machine it may use."""

    sources: dict[str, SourceSetting] = {}
    exclude: str | None = None
    """A file with one id (image, object or part) a line, known to be bad."""
    limit: int | None = None
    """At most so many photographs of each source."""
    overrides: str | None = None
    """A YAML file of names and part relations that win over all rules (see docs/taxonomy.md)."""
    questions: QuestionSettings = QuestionSettings()
    """Which questions are asked, and how (see docs/questions.md)."""
    llm: LlmSettings = LlmSettings()
    """Which language model is asked, for what, and how much it may cost (see docs/language-model.md)."""
    validation: ValidationSettings = ValidationSettings()
    """How the version is validated before it is published (see docs/validation.md)."""
    preview: int = 8
    """Photographs of each source that the preview shows; 0 for none. It is no part of what tells versions apart."""
    workers: int | None = None
    """Processes; all cores if not given. Has no influence on what is published."""
    verify: bool = False
    """Whether files are hashed again that look as they did at the last build. Has no influence on what is published."""

    def absolute(self) -> BuildConfig:
        """The same with absolute paths, so that it can be built again from any working directory."""

        def full(path: str | None) -> str | None:
            return None if path is None else str(Path(path).expanduser().absolute())

        sources = {
            name: SourceSetting(full(one.path) or one.path, full(one.images)) for name, one in self.sources.items()
        }
        return msgspec.structs.replace(
            self, sources=sources, exclude=full(self.exclude), overrides=full(self.overrides)
        )


def default_root() -> Path:
    """$PARTONOMY_ROOT, else `./partonomy`."""
    # Files of settings, of systemd's say, have no shell that would know a home folder by `~`.
    return Path(os.environ.get("PARTONOMY_ROOT") or "partonomy").expanduser()


def load(path: Path) -> BuildConfig:
    """Reads a YAML file. Unknown keys are errors, with the nearest known key. Raises UsageError."""
    import yaml

    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("the config file can't be read", where=str(path), mend="Check the path") from error
    try:
        content = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise UsageError("the config file is not valid YAML", where=where, mend="Mend the line") from error
    if not isinstance(content, dict):
        raise UsageError("the config file must hold `key: value` lines", where=str(path))
    _check_keys(content, BuildConfig.__struct_fields__, str(path))
    return convert(content, str(path))


def convert(content: Mapping[str, Any], where: str = "") -> BuildConfig:
    """A config from plain values; a source may be a path, or `{path, images}`. Raises UsageError."""
    sources = content.get("sources") or {}
    if not isinstance(sources, Mapping):
        raise UsageError("`sources` must map names to paths", where=where)
    plain = {name: {"path": str(one)} if isinstance(one, str | Path) else one for name, one in sources.items()}
    try:
        config = msgspec.convert({**content, "sources": plain}, BuildConfig)
    except msgspec.ValidationError as error:
        raise UsageError(f"a setting has the wrong type: {error}", where=where) from error
    config.questions.checked()
    config.llm.checked()
    config.validation.checked()
    for name, least in (("limit", config.limit), ("workers", config.workers)):
        if least is not None and least < 1:
            raise UsageError(f"`{name}` must be at least 1, not {least}", where=where)
    if not 0 <= config.preview <= 100:
        raise UsageError(f"`preview` must be from 0 to 100, not {config.preview}", where=where)
    return config


def _check_keys(content: Iterable[Any], known: tuple[str, ...], where: str) -> None:
    for key in content:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"Did you mean {near[0]!r}" if near else f"Known keys are {', '.join(known)}"
            raise UsageError(f"unknown setting {str(key)!r}", where=where, mend=hint)


def pairs(given: Iterable[str], option: str) -> dict[str, str]:
    """`NAME=PATH` arguments as a mapping. Raises UsageError for one without `=`, or a name given twice."""
    found: dict[str, str] = {}
    for item in given:
        name, equals, path = item.partition("=")
        if not equals or not name or not path:
            raise UsageError(f"{option} {item!r} is not NAME=PATH", mend=f"Write {option} paco=/data/paco")
        if name in found:
            raise UsageError(f"{option} names {name!r} twice")
        found[name] = path
    return found


def excluded(path: str | None) -> tuple[str, ...]:
    """The ids of an exclusion file, sorted; blank lines and what follows `#` are left out. Raises UsageError."""
    if path is None:
        return ()
    try:
        lines = Path(path).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            "the exclusion file can't be read", where=path, mend="Check the path given to --exclude"
        ) from error
    return tuple(sorted({line.partition("#")[0].strip() for line in lines} - {""}))


def merged(
    base: BuildConfig,
    *,
    sources: Mapping[str, str],
    images: Mapping[str, str],
    exclude: str | None = None,
    limit: int | None = None,
    overrides: str | None = None,
    questions: Mapping[str, Any] | None = None,
    llm: Mapping[str, Any] | None = None,
    validation: Mapping[str, Any] | None = None,
    preview: int | None = None,
    workers: int | None = None,
    verify: bool | None = None,
) -> BuildConfig:
    """`base` with what was given in its place. Raises UsageError for photographs of a source that is not given."""
    settings = {**base.sources, **{name: SourceSetting(path) for name, path in sources.items()}}
    for name, folder in images.items():
        if name not in settings:
            raise UsageError(
                f"--images names {name!r}, which is no source", mend=f"Give its annotations with --source {name}=PATH"
            )
        settings[name] = SourceSetting(settings[name].path, folder)
    content = {
        "sources": {name: msgspec.to_builtins(one) for name, one in settings.items()},
        "exclude": exclude if exclude is not None else base.exclude,
        "limit": limit if limit is not None else base.limit,
        "overrides": overrides if overrides is not None else base.overrides,
        "questions": {**msgspec.to_builtins(base.questions), **(questions or {})},
        "llm": {**msgspec.to_builtins(base.llm), **(llm or {})},
        "validation": {**msgspec.to_builtins(base.validation), **(validation or {})},
        "preview": preview if preview is not None else base.preview,
        "workers": workers if workers is not None else base.workers,
        "verify": verify if verify is not None else base.verify,
    }
    return convert(content)
