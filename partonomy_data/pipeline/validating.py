"""The rules that a version must keep, checked on what is staged."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

from partonomy_data.config import BuildConfig
from partonomy_data.errors import PartonomyError
from partonomy_data.pipeline.assemble import Assembled
from partonomy_data.pipeline.code import code_digest
from partonomy_data.pipeline.progress import Progress
from partonomy_data.sources.files import digest
from partonomy_data.store.layout import Layout
from partonomy_data.store.lock import reading
from partonomy_data.store.pointer import read_current
from partonomy_data.validation import pages_apart
from partonomy_data.validation.cache import Cache
from partonomy_data.validation.job import n_rules, reported, validate_staged
from partonomy_data.validation.pages_apart import Pages


def pages(config: BuildConfig) -> AbstractContextManager[Pages | None]:
    """A process that writes Great Expectations' report, ready by the time that a build comes to it; None if it isn't wanted."""
    return pages_apart.pages() if reported(config.validation) else nullcontext()


def validate(
    root: Path,
    config: BuildConfig,
    assembled: Assembled,
    run_id: str,
    progress: Progress,
    pages: Pages | None = None,
) -> Assembled:
    """Checks what is staged, sends questions that break a rule to quarantine, and writes the report into the run's folder.

    What has changed since the version before is judged; or all, where that wasn't validated by the same code and settings,
    and where all is to be verified. Great Expectations' report may still be under way: `pages` are to be waited for. Raises
    ValidationError if it may not be published, and PartonomyError if that can't be found out (the disk is full).
    """
    import duckdb

    folder = Layout(root).runs / run_id / "validation"
    progress.stage("validating", n_rules())
    cache = Cache(Layout(root).work / "findings", digest(code_digest(), duckdb.__version__), anew=config.verify)
    current = read_current(root)
    try:
        # The version before is compared with: a rollback and a prune must not take it away meanwhile.
        with reading(root, current) if current else nullcontext():
            checked = validate_staged(
                root,
                assembled.staged,
                assembled.manifest,
                config.validation,
                folder=folder,
                threads=config.workers,
                told=progress.advance,
                cache=cache,
                pages=pages,
            )
    except duckdb.Error as error:
        what = str(error).splitlines()[0].rstrip(".")
        raise PartonomyError(f"the rules can't be checked ({what}); nothing was published") from error
    cache.keep_used()
    said = {
        "rules": checked.validation.rules,
        "warnings": {f"{one.table}.{one.rule}": one.n for one in checked.validation.warnings},
    }
    return replace(
        assembled,
        manifest={**checked.manifest, "validation": said},
        n_questions=assembled.n_questions - checked.validation.quarantined,
        validation=checked.validation,
    )
