"""Can the questions be answered without the image? Blind attackers on any question table.

table, encode, assemble         a question table as arrays, its answers apart
parquet_files, reference_json, loading     where questions come from
sets, cues, crossfit, linking   the attackers' senses: set algebra, simple cues, rates from other folds, other questions
features, learned, object_cues, credit, attack     the attackers
intervals, checks, auditing, report     what they came to
render, figure, job             audit.json, audit.md, audit.png; the command
"""

from __future__ import annotations

from partonomy_data.questions.audit.auditing import audit
from partonomy_data.questions.audit.loading import load
from partonomy_data.questions.audit.render import write
from partonomy_data.questions.audit.report import Report
from partonomy_data.questions.audit.settings import AuditSettings
from partonomy_data.questions.audit.table import AuditTable

__all__ = ["AuditSettings", "AuditTable", "Report", "audit", "load", "write"]
