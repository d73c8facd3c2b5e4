"""A model behind a server that looks: it says plain things of what it is shown, so that a test knows what to expect."""

from __future__ import annotations

import base64
import io
import json
import time
from typing import Any

from PIL import Image


def shown(body: dict[str, Any]) -> tuple[Image.Image, dict[str, Any]]:
    """The picture and the item of a request."""
    picture, text = body["messages"][1]["content"]
    assert (picture["type"], text["type"]) == ("image_url", "text")
    head, _, data = picture["image_url"]["url"].partition(",")
    assert head == "data:image/jpeg;base64"
    item: dict[str, Any] = json.loads(text["text"])
    return Image.open(io.BytesIO(base64.b64decode(data))), item


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """The first choice; the middle of the picture for a part; an answer that names two parts."""
    _, item = shown(body)
    if "choices" in item:
        made: dict[str, Any] = {"choice": min(item["choices"], key=lambda letter: item["choices"][letter])}
    elif "parts" in item:
        made = {"outlines": [[250, 250, 750, 750]] * len(item["parts"])}
    else:
        made = {
            "answer": "It has a wheel and a tail.",
            "phrases": ["wheel", "tail"],
            "outlines": [[0, 0, 500, 1000], [500, 0, 1000, 0, 1000, 1000, 500, 1000]],
        }
    return {"answers": [{"n": item["n"], **made}]}


def slowly(body: dict[str, Any]) -> dict[str, Any]:
    """The same after a while, so that whoever asks can be killed meanwhile."""
    time.sleep(0.05)
    return answer(body)
