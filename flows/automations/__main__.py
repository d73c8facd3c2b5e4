"""`python -m flows.automations`: sets the automations up on the server at PREFECT_API_URL.

The webhook for failures is the one argument, or $PARTONOMY_NOTIFY_URL; without either, nobody is told of failures.
"""

from __future__ import annotations

import os
import sys

from flows import automations


def main(arguments: list[str]) -> None:
    """Sets them up, and says which there are."""
    if len(arguments) > 1 or any(one.startswith("-") for one in arguments):
        sys.exit("usage: python -m flows.automations [WEBHOOK_URL]")
    automations.put(automations.template("zombie"))
    url = arguments[0] if arguments else os.environ.get("PARTONOMY_NOTIFY_URL")
    if url:
        automations.notify(url)
    print("automations:", ", ".join(automations.names()))


if __name__ == "__main__":
    main(sys.argv[1:])
