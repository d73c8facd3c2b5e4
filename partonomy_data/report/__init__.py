"""A version as one folder of pages that need nothing else: no server, no script, no network. Needs jinja2 (the extra `explore`).

job        the call: opens the version, fills the folder, page by page
folder     the folder, which appears whole, and replaces only another report
reading    the version's rows, by SELECTs that hold to a limit of memory
counting   rows by table, source, split and type, counted again and held against the manifest
figures    distributions as plots; plots  how they are drawn, as SVG; scales  axes and their numbers
sampling   which photographs and questions are shown: by hash
showing    these with their masks, names and choices; pictures  small photographs
checks     validation, audit, splits, quarantine; models  the language model's share, and evaluated models
limits     what the version can't be relied on for, with numbers
pages      the pages and their templates

What is the explorer's too (masks as outlines, texts with spans, reports of runs, colors) is imported from it.
"""

from partonomy_data.report.job import Written, write

__all__ = ["Written", "write"]
