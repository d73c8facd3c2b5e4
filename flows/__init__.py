"""Prefect flows: thin, they order the steps of the library, retry them, and report.

build      build-partonomy: sources in, a published version out
progress   a build's progress as a Prefect artifact
artifacts  a build's report as a Prefect artifact
"""

import os

# Prefect reads its settings when it is imported, so these defaults must be in place before. The temporary server of a
# fresh machine needs longer than Prefect's own default; nothing is sent to anybody.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
