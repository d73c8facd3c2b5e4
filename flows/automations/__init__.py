"""Automations of the Prefect server that deployments don't bring along: who is told of failures, what becomes of zombies.

failure.yaml  calls a webhook when a run fails
zombie.yaml   marks a run as crashed whose process and worker were killed
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import get_client
from prefect.events import AutomationCore
from prefect.types import SecretDict
from pydantic import SecretStr

#: The Webhook block that is called on failures.
BLOCK: Final = "partonomy-failure"


def template(name: str) -> dict[str, Any]:
    """An automation as its file says: `failure` or `zombie`."""
    content: dict[str, Any] = yaml.safe_load((Path(__file__).parent / f"{name}.yaml").read_text())
    return content


def notify(url: str) -> str:
    """Has the server call `url` when a run fails, in place of what it called before. Returns the automation's id."""
    block = Webhook(url=SecretStr(url), headers=SecretDict({"Content-Type": "application/json"}))
    block_id = block.save(BLOCK, overwrite=True)
    wanted = template("failure")
    for action in wanted["actions"]:
        action["block_document_id"] = str(block_id)
    return put(wanted)


def put(wanted: dict[str, Any]) -> str:
    """Makes an automation, in place of one with the same name, which stays off if somebody has paused it. Returns its id.

    One that is as it should be is left alone: changing it would make it forget what it is waiting for.
    """
    automation = AutomationCore.model_validate(wanted)
    with get_client(sync_client=True) as client:
        there = client.read_automations_by_name(automation.name)
        if not there:
            return str(client.create_automation(automation))
        found = there[0]
        automation = automation.model_copy(update={"enabled": found.enabled})
        if _plain(found) != _plain(automation):
            client.update_automation(found.id, automation)
        return str(found.id)


def _plain(automation: AutomationCore) -> dict[str, Any]:
    return automation.model_dump(include=set(AutomationCore.model_fields))


def names() -> list[str]:
    """The names of all automations of the server, those of the deployments' triggers included."""
    with get_client(sync_client=True) as client:
        return sorted(one.name for one in client.read_automations())
