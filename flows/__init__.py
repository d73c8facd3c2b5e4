"""Prefect flows: thin, they order the steps of the library, retry them, and report.

build        build-partonomy: sources in, a published version out
refresh      refresh-partonomy: the last build again, if anything has changed
train        train-plum: PLUM fine-tuned on a version
evaluate     evaluate-plum: a model measured on a version
tasks        the tasks of a build
dask         a build without Prefect, its shards done by the workers of a Dask cluster
spread       calls spread over such workers
parameters   the types of the flows' parameters
events       what the server is told: a version is published, a model is trained
automations  who is told of failures
artifacts    what a build came to, as Prefect artifacts
progress     a build's progress, as a Prefect artifact
extras       what needs the package `model`
refusing     failures that were foreseen, told in one line
"""

import os

# Prefect reads its settings when it is imported, so these defaults must be in place before. The temporary server of a
# fresh machine needs longer than Prefect's own default; nothing is sent to anybody.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
