"""From a question and an answer to token ids, and for each token of the answer the characters that it stands for.

A processor replaces the image's place in the text by as many tokens as the image has features, which differs between
families and photographs. So offsets are never guessed from ids: a photograph is processed once and gives its replacement; text is
rendered by the family's own chat template, expanded, and tokenized once with the tokenizer's own offsets, which are
then counted from the answer's first character.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from model.plum.errors import ModelError, TextError
from model.plum.marking import SEG

Offsets = npt.NDArray[np.int64]

#: Stands for the answer while a template is looked at; no template changes a word without blanks.
_ANSWER: Final = "\u2045answer\u2046"


@dataclass(frozen=True)
class Turn:
    """A question and the answer that was given to it."""

    question: str
    answer: str


@dataclass(frozen=True)
class Prompt:
    """A rendered prompt, its image expanded: all the text before the answer's first character."""

    text: str
    glue: str
    """The blanks between it and the answer, which most tokenizers put into the answer's first token."""
    ids: tuple[int, ...]
    """As tokenized alone; every rendering of an answer to it begins with the same ids."""


@dataclass(frozen=True)
class Rendered:
    """A prompt with an answer, tokenized together."""

    ids: tuple[int, ...]
    """Prompt, answer, and the token that ends a turn."""
    n_prompt: int
    """So many of the ids are the prompt's."""
    n_answer: int
    """So many after it are the answer's; what is left ends the turn."""
    answer: str
    offsets: Offsets
    """int64 (n_answer, 2): the characters of `answer` that each token stands for, [start, end)."""

    @property
    def answer_ids(self) -> tuple[int, ...]:
        """Of the answer's tokens alone: n_answer."""
        return self.ids[self.n_prompt : self.n_prompt + self.n_answer]


class Renderer:
    """The text side of a processor of `transformers`."""

    def __init__(self, processor: Any) -> None:
        tokenizer = processor.tokenizer
        if not getattr(tokenizer, "is_fast", False):
            raise ModelError(
                f"the tokenizer {type(tokenizer).__name__} gives no character offsets", mend="Use its fast version"
            )
        # Older folders have it with the tokenizer, which a processor doesn't look at.
        self._template = tokenizer.chat_template if processor.chat_template is None else processor.chat_template
        if self._template is None:
            raise ModelError("the processor has no chat template", mend="Give it one in chat_template.jinja")
        if tokenizer.eos_token_id is None:
            raise ModelError("the tokenizer has no token that ends a text", mend="Set its eos_token")
        self.processor, self.tokenizer = processor, tokenizer
        self.image_token: str = processor.image_token
        self.end_id: int = tokenizer.eos_token_id
        self.pad_id: int = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        # Not `all_special_tokens`, which leaves out what has no role of its own: the signs around turns and photographs.
        known = tokenizer.added_tokens_decoder.values()
        special = {str(token.content) for token in known if token.special} | set(tokenizer.all_special_tokens)
        self._control = tuple(sorted(special | {self.image_token}))

    def prompt(self, replacement: str, question: str, history: Sequence[Turn] = ()) -> Prompt:
        """The prompt for the answer to a question, after earlier turns.

        `replacement` is what stands for the photograph in the text (`Picture.replacement`). Raises TextError for text that
        holds a control token, or `[SEG]` where that is a token: only an answer that is being written has it.
        """
        control = (*self._control, SEG) if SEG in self.tokenizer.get_added_vocab() else self._control
        for said in (question, *(text for turn in history for text in (turn.question, turn.answer))):
            _refuse(said, control)
        text = self._rendered(question, history)
        if text.count(self.image_token) != 1:
            raise ModelError(
                f"the chat template shows the image {text.count(self.image_token)} times", mend="Let it show it once"
            )
        whole = text.replace(self.image_token, replacement)
        text = whole.rstrip(" ")
        return Prompt(text, whole[len(text) :], tuple(self._tokenized(text)["input_ids"]))

    def answered(self, prompt: Prompt, answer: str) -> Rendered:
        """A prompt with an answer.

        Raises TextError for an empty answer, one that holds a control token, and where the tokenizer joins the end of the
        prompt and the answer's beginning into one token, so that neither can be scored alone.
        """
        if not answer.strip():
            raise TextError("the answer is empty")
        _refuse(answer, self._control)
        before = prompt.text + prompt.glue
        both = self._tokenized(before + answer)
        ids, offsets = list(both["input_ids"]), np.asarray(both["offset_mapping"], np.int64)
        n = len(prompt.ids)
        if tuple(ids[:n]) != prompt.ids:
            raise TextError(f"the tokenizer joins the prompt's end and the answer's beginning {answer[:20]!r}")
        of_answer = np.clip(offsets[n:] - len(before), 0, len(answer))
        return Rendered((*ids, self.end_id), n, len(ids) - n, answer, of_answer)

    def offsets(self, prompt: Prompt) -> Offsets:
        """int64 (T, 2): the characters of a prompt's text that each of its tokens stands for, [start, end)."""
        return np.asarray(self._tokenized(prompt.text)["offset_mapping"], np.int64)

    def text_of(self, ids: Sequence[int]) -> tuple[str, Offsets]:
        """The text of ids that a model generated, blanks at its start left out, and for each id its characters, [start, end).

        As in a tokenizer's own offsets, a character that is spelled by several tokens belongs to each of them.
        """
        texts = [self.tokenizer.decode(ids[:n], skip_special_tokens=True) for n in range(len(ids) + 1)]
        whole, text = texts[-1], texts[-1].lstrip()
        # Half a character is decoded as a sign of its own, or several, until its other bytes come: begun, but not complete.
        # In some families it also hides the characters just before it for so long.
        begun = np.minimum.accumulate(np.asarray([len(one) for one in texts], np.int64)[::-1])[::-1]
        complete = np.maximum.accumulate(np.asarray([_shared(one, whole) for one in texts], np.int64))
        offsets = np.stack([np.minimum(complete[:-1], begun[1:]), begun[1:]], axis=1)
        return text, np.clip(offsets - (len(whole) - len(text)), 0, len(text))

    def _rendered(self, question: str, history: Sequence[Turn]) -> str:
        """The prompt by the chat template, up to the answer's first character, the image still one token."""
        messages: list[dict[str, Any]] = []
        for number, turn in enumerate((*history, Turn(question, _ANSWER))):
            content: list[dict[str, str]] = [{"type": "image"}] if number == 0 else []
            messages.append({"role": "user", "content": [*content, {"type": "text", "text": turn.question}]})
            messages.append({"role": "assistant", "content": [{"type": "text", "text": turn.answer}]})
        whole = str(self.processor.apply_chat_template(messages, self._template, tokenize=False))
        before, found, _ = whole.partition(_ANSWER)
        if not found:
            raise ModelError(
                "the chat template changes or leaves out what the assistant says", mend="Let it show `content` as it is"
            )
        return before

    def _tokenized(self, text: str) -> Any:
        begun = self.tokenizer.bos_token is not None and text.startswith(self.tokenizer.bos_token)
        return self.tokenizer(text, add_special_tokens=not begun, return_offsets_mapping=True)


def _shared(one: str, other: str) -> int:
    """How many characters two texts have in common at their start."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (mine, theirs) in pairs if mine != theirs), min(len(one), len(other)))


def _refuse(text: str, control: Sequence[str]) -> None:
    for token in control:
        if token in text:
            raise TextError(f"the text holds the control token {token!r}: {text[:60]!r}")
