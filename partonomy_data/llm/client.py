"""Asking: what is known already is taken from the answer store, the rest is sent, checked, tried once more, and kept.

Items are packed into requests by their place among *all* items of an ask, whatever the store holds of them. So a run
that was killed goes on with the very requests of an unbroken one, but for those that were answered.

    known before       answered or refused: nothing is sent
    booked, unjudged   a reply that came in just before a crash: it is judged now
    tried              answered once, and not well: the second try is sent, with what was wrong
    new                the first try is sent
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, TypeAlias, TypeVar

import msgspec
import pyarrow as pa

from partonomy_data.errors import UsageError
from partonomy_data.llm import packing
from partonomy_data.llm.bookkeeping import Bookkeeper
from partonomy_data.llm.brief import Answered, Brief, Item, Unanswered, Why
from partonomy_data.llm.budget import Budget, prompt_tokens
from partonomy_data.llm.cache import AnswerStore, Booked, Entry
from partonomy_data.llm.journal import Arrival
from partonomy_data.llm.ledger import Ledger
from partonomy_data.llm.packing import Addressee, Problem
from partonomy_data.llm.request import Reply, Request
from partonomy_data.llm.settings import LlmSettings
from partonomy_data.llm.transport import Outcome, Replay, Transport

T = TypeVar("T", bound=msgspec.Struct)

#: A request with the keys of its items by number, and whether it is the first try.
_Sent: TypeAlias = tuple[Request, dict[int, str], bool]


class Told(Protocol):
    """Who hears of what is sent: a build's progress."""

    def stage(self, name: str, steps: int) -> None:
        """So many requests are about to be sent."""
        ...

    def advance(self, steps: int = 1) -> None:
        """So many of them have an outcome."""
        ...


class Client:
    """Asks one model on behalf of one build. `Asks` is the part of it that purposes see."""

    def __init__(
        self,
        settings: LlmSettings,
        store: AnswerStore,
        transport: Transport | None,
        *,
        told: Told | None = None,
    ) -> None:
        """Without a transport nothing is sent, and the ledger says what would be. `told` hears of each purpose: its
        name and how many requests it takes."""
        self.ledger = Ledger()
        self.budget = Budget(settings)
        self._keys: dict[str, set[str]] = defaultdict(set)
        """Purpose → the keys of all items that were asked for."""
        self._settings, self._store, self._transport, self._told = settings, store, transport, told
        self._to = Addressee(settings.endpoint.rstrip("/"), settings.model, settings.form, settings.seed)

    def ask(self, brief: Brief[T], items: Sequence[Item]) -> dict[str, Answered[T] | Unanswered]:
        """An outcome for each item, by its id, in the order of the items. Raises UsageError where nothing can be asked."""
        keys = packing.item_keys(brief, items, self._to)
        if len({item.id for item in items}) < len(items):
            raise ValueError(f"{brief.purpose}: two items have one id")
        by_key = dict(zip(reversed(keys), reversed(items), strict=True))
        order = list(dict.fromkeys(keys))
        self._keys[brief.purpose].update(order)
        book = self.ledger.of(brief.purpose)
        book.items += len(order)
        self._judge_left_over(brief, by_key, order)
        known = self._store.lookup(order)
        book.stored += sum(entry.state != "tried" for entry in known.values())
        failed: dict[str, str] = {}
        said: dict[str, Answered[T]] = {}
        self._send(brief, by_key, *self._first(brief, by_key, order, known), failed, known, said)
        if again := self._second(brief, order, known):
            self._send(brief, by_key, len(again), again, failed, known, said)
        # Another process may have what was not asked here, or not answered.
        known |= self._store.lookup([key for key in order if key not in known])
        key_of = dict(zip((item.id for item in items), keys, strict=True))
        return self._outcomes(brief, key_of, known, failed, said)

    def calls(self) -> Iterator[pa.RecordBatch]:
        """All calls that hold anything that was asked for, as rows of the table `llm_calls`, few at a time."""
        return self._store.batches(self._store.calls_of(key for some in self._keys.values() for key in some))

    def account(self) -> dict[str, Any]:
        """By purpose, how many items there were and how many were admitted, and what all of their calls came to.

        It depends on what was asked for and on the answer store, not on which run made a call.
        """
        found: dict[str, Any] = {}
        for purpose, keys in self._keys.items():
            one = self._store.account(keys)
            found[purpose] = {
                "items": len(keys),
                "admitted": one.answered,
                "refused": one.refused,
                "by_rule": len(keys) - one.answered,
                "calls": one.calls,
                "prompt_tokens": one.prompt_tokens,
                "completion_tokens": one.completion_tokens,
                "cost_usd": one.cost_usd or 0,
            }
        return found

    def _first(
        self, brief: Brief[T], by_key: Mapping[str, Item], order: Sequence[str], known: Mapping[str, Entry]
    ) -> tuple[int, Iterator[_Sent]]:
        size = (None if brief.embedding_model else self._settings.pack) or brief.pack
        packs = [order[at : at + size] for at in range(0, len(order), size)]
        asked = [new for pack in packs if (new := [key for key in pack if key not in known])]

        def made() -> Iterator[_Sent]:
            # Each is made when it can be sent: that takes as long as a reply takes to be written down.
            for new in asked:
                sent = packing.request(brief, [by_key[key] for key in new], self._to)
                yield sent, dict(enumerate(new, 1)), True

        return len(asked), made()

    def _second(self, brief: Brief[T], order: Sequence[str], known: Mapping[str, Entry]) -> list[_Sent]:
        by_call: dict[str, list[str]] = defaultdict(list)
        for key in order:
            if key in known and known[key].state == "tried":
                by_call[known[key].call_id].append(key)
        sent: list[_Sent] = []
        for call_id, keys in by_call.items():
            first = self._store.call(call_id)
            assert isinstance(first.outcome, Reply)
            numbers = {first.items.index(key) + 1: key for key in keys}
            problems = {n: known[key].reason or "" for n, key in numbers.items()}
            again = packing.second(first.request, first.outcome, problems, brief.tokens)
            sent.append((again, numbers, False))
        return sent

    def _send(
        self,
        brief: Brief[T],
        by_key: Mapping[str, Item],
        count: int,
        requests: Iterable[_Sent],
        failed: dict[str, str],
        known: dict[str, Entry],
        said: dict[str, Answered[T]],
    ) -> None:
        """Sends so many requests, and books and judges what comes: it is known then, and said, or has failed."""
        if self._transport is None:
            self._plan(brief, requests)
            return
        if not count:
            return
        if self._told is not None:
            self._told.stage(f"asking: {brief.purpose}", count)
        taken: list[_Sent] = []

        def affordable() -> Iterator[Request]:
            for one in requests:
                # Where power fails, no more is lost than may be on the way at once.
                books.wait(self._settings.concurrency)
                if not self.budget.set_aside(one[0]):
                    return
                taken.append(one)
                yield one[0]

        def book(came: tuple[_Sent, Arrival]) -> Booked:
            return self._book(came[1])

        def judge(came: tuple[_Sent, Arrival], booked: Booked) -> None:
            (_, numbers, first), arrival = came
            if arrival.reply is not None:
                known.update(self._judge(brief, by_key, booked, numbers, first, said))

        with self._store.journal() as journal, Bookkeeper(self._store, book, judge) as books:
            for number, outcome in self._transport.send(affordable()):
                request, numbers, _ = taken[number]
                self.budget.settle(request, outcome if isinstance(outcome, Reply) else None)
                if self._told is not None:
                    self._told.advance()
                if isinstance(self._transport, Replay):
                    continue
                arrival = self._arrival(brief, request, numbers, outcome)
                if arrival.failure is not None:
                    failed |= dict.fromkeys(numbers.values(), arrival.failure.reason)
                try:
                    journal.write(arrival)
                finally:
                    books.put((taken[number], arrival))
                if journal.full:
                    books.wait(0)
                    journal.clear()

    def _plan(self, brief: Brief[T], requests: Iterable[_Sent]) -> None:
        book = self.ledger.of(brief.purpose)
        for request, _, _ in requests:
            sent = prompt_tokens(request)
            book.calls += 1
            book.prompt_tokens += sent
            book.completion_tokens += request.max_tokens
            book.cost_usd += self.budget.cost(request, sent, request.max_tokens) or 0.0

    def _arrival(self, brief: Brief[T], request: Request, numbers: Mapping[int, str], outcome: Outcome) -> Arrival:
        reply, failure = (outcome, None) if isinstance(outcome, Reply) else (None, outcome)
        return Arrival(
            purpose=brief.purpose,
            request=request,
            # The numbers of a second try are those of the first: places that are not asked again stay empty.
            items=tuple(numbers.get(n, "") for n in range(1, max(numbers) + 1)),
            reply=reply,
            failure=failure,
            cost_usd=self.budget.cost_of(request, reply) if reply else None,
            created_at=datetime.now(UTC),
        )

    def _book(self, came: Arrival) -> Booked:
        purpose, request, items, cost, now = came.purpose, came.request, came.items, came.cost_usd, came.created_at
        call_id = self._store.book(request, came.outcome, purpose=purpose, items=items, cost_usd=cost, created_at=now)
        book = self.ledger.of(purpose)
        book.calls += 1
        book.prompt_tokens += (came.reply and came.reply.prompt_tokens) or 0
        book.completion_tokens += (came.reply and came.reply.completion_tokens) or 0
        book.cost_usd += cost or 0.0
        status = "received" if came.reply else "failed"
        return Booked(call_id, purpose, request, came.outcome, items, cost, now, status)

    def _judge(
        self,
        brief: Brief[T],
        by_key: Mapping[str, Item],
        booked: Booked,
        numbers: Mapping[int, str],
        first: bool,
        said: dict[str, Answered[T]],
        *,
        whole: bool = True,
    ) -> Mapping[str, Entry]:
        """Keeps what a reply says of its items: answers, which are said then, and what is wrong with the others.

        Returns what is known of them then. Not `whole`: it holds others too, and is to be judged again.
        """
        assert isinstance(booked.outcome, Reply)
        read = packing.read(brief, {n: by_key[key] for n, key in numbers.items()}, booked.outcome)
        entries: dict[str, Entry] = {}
        for n, value in read.items():
            if isinstance(value, Problem):
                entries[numbers[n]] = Entry("tried" if first else "refused", None, value.reason, booked.call_id)
            else:
                entries[numbers[n]] = Entry("answered", msgspec.json.encode(value), None, booked.call_id)
        good = sum(entry.state == "answered" for entry in entries.values())
        if not first:
            self.ledger.of(brief.purpose).asked_again += len(entries)
        status = "admitted" if good == len(entries) else "partly admitted" if good else "refused"
        taken = self._store.judge(booked.call_id, status if whole else "received", entries)
        if not taken:  # another process has answers already, and what is kept is what is said
            return self._store.lookup(list(entries))
        for n, value in read.items():
            if not isinstance(value, Problem):
                said[numbers[n]] = Answered(value, booked.call_id)
        return entries

    def _judge_left_over(self, brief: Brief[T], by_key: Mapping[str, Item], order: Sequence[str]) -> None:
        """Judges replies that were booked just before an earlier run ended; they are not asked for, nor paid, again."""
        for booked in self._store.unjudged(order):
            numbers = {n: key for n, key in enumerate(booked.items, 1) if key in by_key}
            # While some of its items weren't asked for, their answers are still to be found in it.
            whole = len(numbers) == sum(map(bool, booked.items))
            self._judge(brief, by_key, booked, numbers, not packing.is_second(booked.request), {}, whole=whole)

    def _outcomes(
        self,
        brief: Brief[T],
        key_of: Mapping[str, str],
        known: Mapping[str, Entry],
        failed: Mapping[str, str],
        said: Mapping[str, Answered[T]],
    ) -> dict[str, Answered[T] | Unanswered]:
        outcomes: dict[str, Answered[T] | Unanswered] = {}
        by_key: dict[str, Answered[T] | Unanswered] = {}
        read = msgspec.json.Decoder(brief.answer)
        for item_id, key in key_of.items():
            if key not in by_key:
                by_key[key] = said.get(key) or self._outcome(read, known.get(key), failed.get(key))
            outcomes[item_id] = by_key[key]
        book = self.ledger.of(brief.purpose)
        for one in by_key.values():
            if isinstance(one, Answered):
                book.admitted += 1
            else:
                field = {"refused": "refused", "failed": "failed", "budget": "over_budget", "not_stored": "not_sent"}
                setattr(book, field[one.why], getattr(book, field[one.why]) + 1)
        missed = sum(isinstance(one, Unanswered) and one.why == "not_stored" for one in by_key.values())
        if missed and isinstance(self._transport, Replay):
            raise UsageError(
                f"{missed:,} of {len(by_key):,} answers on {brief.purpose} are not in the answer store",
                where="--llm replay",
                mend="Ask for them with --llm openai, or use the settings that they were asked with",
            )
        return outcomes

    def _outcome(
        self, read: msgspec.json.Decoder[T], entry: Entry | None, failure: str | None
    ) -> Answered[T] | Unanswered:
        if entry is not None and entry.state == "answered":
            assert entry.value is not None
            return Answered(read.decode(entry.value), entry.call_id)
        if entry is not None and entry.state == "refused":
            return Unanswered("refused", entry.reason or "")
        why: Why = "failed" if failure else "not_stored" if self._holds_back else "budget"
        return Unanswered(why, failure or (entry.reason if entry else None) or "")

    @property
    def _holds_back(self) -> bool:
        return self._transport is None or isinstance(self._transport, Replay)
