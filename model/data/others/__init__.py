"""Other data in the mixture, beside the store's questions: what the paper's first training mixes in.

    referring       a phrase and the one thing that it means     COCO JSON whose annotations have phrases (RefCOCO's kind)
    semantic        a category and all that is of it              COCO JSON (ADE20K's and COCO-Stuff's kind)
    conversations   questions and answers without masks           LLaVA's JSON (llava_instruct's kind)

`reading` turns each into rows like those of the store's questions, so that one order, one mixture and one loop train on all.
"""

from __future__ import annotations

from model.data.others.reading import FORMAT, Read, prepare

__all__ = ["FORMAT", "Read", "prepare"]
