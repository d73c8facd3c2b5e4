"""A download survives what happens to connections, and never joins pieces of two files."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import hypothesis
import hypothesis.strategies as some
import pytest

from partonomy_data.errors import UsageError
from partonomy_data.fetch import transport
from partonomy_data.fetch.download import Patience
from partonomy_data.fetch.job import fetch
from partonomy_data.fetch.space import FetchError
from partonomy_data.pipeline.progress import Silent
from tests.fetch.conftest import CONTENT, Site
from tests.fetch.server import Server, self_signed, serving


def test_a_cut_connection_is_taken_up_where_it_was_cut(site: Site) -> None:
    site.serve("thing.bin", CONTENT, cuts=[500_000, 300_001])
    site.fetch("thing.bin")
    assert site.tree() == {"thing.bin": CONTENT}
    assert site.server.starts == [None, 500_000, 800_001]
    assert [one.if_range for one in site.server.asked] == [None, '"one"', '"one"']
    assert sum(one.sent for one in site.server.asked) == len(CONTENT), "a byte was sent twice"
    assert len(site.waits) == 2
    assert all(0.25 <= wait <= 0.5 for wait in site.waits), "progress was made, so that the wait doesn't grow"


@pytest.fixture(scope="module")
def shared() -> Iterator[Server]:
    with serving() as running:
        yield running


@hypothesis.given(content=some.binary(max_size=3000), cuts=some.lists(some.integers(1, 1200), max_size=5))
@hypothesis.settings(max_examples=25)
def test_wherever_it_is_cut_the_file_is_the_same_and_no_byte_comes_twice(
    shared: Server, content: bytes, cuts: list[int]
) -> None:
    shared.asked.clear()
    with tempfile.TemporaryDirectory() as folder:
        site = Site(shared, Path(folder))
        site.serve("thing.bin", content, cuts=list(cuts))
        site.fetch("thing.bin")
        assert site.tree() == {"thing.bin": content}
        assert sum(one.sent for one in shared.asked) == len(content)


def test_silence_is_a_cut(site: Site) -> None:
    site.patience = Patience(tries=2, first=0, timeout=0.1, sleep=site.waits.append)
    site.serve("thing.bin", CONTENT[:2500], hold_at=1000)
    site.fetch("thing.bin")
    assert site.tree() == {"thing.bin": CONTENT[:2500]}
    assert site.server.starts == [None, 1000, 2000]


class Listening(Silent):
    """Notes what a progress bar is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []

    def stage(self, name: str, steps: int) -> None:
        self.told.append((name, steps))

    def advance(self, steps: int = 1) -> None:
        self.told.append(("", steps))


def test_the_bar_goes_on_over_cuts_and_is_filled(site: Site) -> None:
    content, heard = CONTENT * 3, Listening()
    site.serve("thing.bin", content, cuts=[1_500_000, 500_000])
    fetch(
        "thing", site.home, accept_licence=True, known=site.known("thing.bin"), progress=heard, patience=site.patience
    )
    stages = [one for one in heard.told if one[0]]
    assert stages == [("thing.bin (MB)", 4), ("checking thing.bin (MB)", 4)]
    begun = heard.told.index(stages[1])
    assert sum(steps for _, steps in heard.told[1:begun]) == 4
    assert max(steps for _, steps in heard.told[1:begun]) == 1


def test_failures_without_progress_end_it_and_what_has_come_is_kept(site: Site) -> None:
    site.serve("thing.bin", CONTENT, cuts=[1000, 0, 0])
    with pytest.raises(FetchError, match=r"cut at 1\.0 kB of 1\.3 MB, 3 times in a row.*run it again"):
        site.fetch("thing.bin")
    assert site.beside("thing.bin.part").read_bytes() == CONTENT[:1000]
    assert len(site.waits) == 2
    site.fetch("thing.bin")
    assert site.tree() == {"thing.bin": CONTENT}
    assert not site.beside("thing.bin.part").exists()


def test_waits_double_and_chance_shortens_them(site: Site) -> None:
    site.serve("thing.bin", b"x", answers=[(503, {})] * 3)
    with pytest.raises(FetchError, match="the server answers 503, 3 times in a row"):
        site.fetch("thing.bin")
    first, second = site.waits
    assert 0.25 <= first <= 0.5 <= second <= 1.0


def test_a_busy_server_is_given_the_rest_that_it_asks_for(site: Site) -> None:
    site.serve("thing.bin", CONTENT, answers=[(429, {"Retry-After": "0"}), (503, {"Retry-After": "7"})])
    site.fetch("thing.bin")
    assert site.waits == [0.0, 7.0]
    assert site.tree() == {"thing.bin": CONTENT}


def test_a_server_that_asks_for_hours_is_not_waited_for(site: Site) -> None:
    site.serve("thing.bin", CONTENT, answers=[(429, {"Retry-After": "7200"})])
    with pytest.raises(FetchError, match="asks for 7,200 s of rest"):
        site.fetch("thing.bin")
    assert site.waits == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("12", 12), ("Thu, 26 Nov 2020 10:00:00 GMT", 0), ("soon", None), ("-3", None), ("", None)],
)
def test_rest_may_be_asked_for_in_seconds_or_as_a_date(text: str, seconds: float | None) -> None:
    headers = Message()
    headers["Retry-After"] = text
    assert transport.retry_after(headers) == seconds


def test_a_server_without_ranges_sends_it_from_its_beginning(site: Site) -> None:
    site.serve("thing.bin", CONTENT, cuts=[500_000], ranges=False)
    site.fetch("thing.bin")
    assert site.tree() == {"thing.bin": CONTENT}
    assert [one.status for one in site.server.asked] == [200, 200]


@pytest.mark.parametrize("checked", [True, False])
def test_a_file_that_changed_meanwhile_begins_anew(site: Site, checked: bool) -> None:
    served = site.serve("thing.bin", b"old" * 2000, cuts=[4000, 0, 0])
    with pytest.raises(FetchError):
        site.fetch("thing.bin", checked=False)
    served.content, served.etag, served.modified = CONTENT, '"two"', "Fri, 27 Nov 2026 10:00:00 GMT"
    site.fetch("thing.bin", checked=checked)
    assert site.tree() == {"thing.bin": CONTENT}
    assert (site.server.asked[-1].start, site.server.asked[-1].if_range) == (4000, '"one"')
    assert site.server.asked[-1].status == 200


def test_a_server_that_overlooks_the_change_is_not_believed(site: Site) -> None:
    served = site.serve("thing.bin", CONTENT, cuts=[1000, 0, 0], conditions=False)
    with pytest.raises(FetchError):
        site.fetch("thing.bin", checked=False)
    served.content, served.etag = CONTENT[::-1], '"two"'
    site.fetch("thing.bin", checked=False)
    assert site.tree() == {"thing.bin": CONTENT[::-1]}
    assert site.server.starts[-2:] == [1000, None]


def test_a_weak_tag_is_no_proof_that_bytes_are_the_same(site: Site) -> None:
    served = site.serve("thing.bin", CONTENT, etag='W/"one"', cuts=[1000])
    site.fetch("thing.bin")
    assert site.server.asked[-1].if_range == served.modified


@pytest.mark.parametrize(("checked", "starts"), [(True, [None, 1000]), (False, [None, None])])
def test_without_tag_and_time_only_a_checksum_lets_it_go_on(site: Site, checked: bool, starts: list[int]) -> None:
    site.serve("thing.bin", CONTENT, etag=None, modified=None, cuts=[1000])
    site.fetch("thing.bin", checked=checked)
    assert site.server.starts == starts
    assert site.tree() == {"thing.bin": CONTENT}


def test_a_file_of_unsaid_length_ends_where_the_connection_does(site: Site) -> None:
    site.serve("thing.bin", CONTENT, says_length=False)
    site.fetch("thing.bin")
    assert site.tree() == {"thing.bin": CONTENT}


def test_an_answer_of_another_range_is_not_joined(site: Site) -> None:
    lie = {"Content-Range": f"bytes 900-{len(CONTENT) - 1}/{len(CONTENT)}"}
    site.serve("thing.bin", CONTENT, cuts=[1000], answers=[])
    site.server.files["thing.bin"].answers = [(200, {}), (206, lie)]
    site.fetch("thing.bin")
    assert site.tree() == {"thing.bin": CONTENT}
    assert site.server.starts == [None, 1000, None]


def test_a_part_longer_than_the_file_begins_anew(site: Site) -> None:
    site.serve("thing.bin", CONTENT, cuts=[1000, 0, 0])
    with pytest.raises(FetchError):
        site.fetch("thing.bin")
    with site.beside("thing.bin.part").open("ab") as part:
        part.write(CONTENT)
    site.fetch("thing.bin")
    assert site.server.starts[-1] is None
    assert site.tree() == {"thing.bin": CONTENT}


@pytest.mark.parametrize(("status", "meaning"), [(404, "there is no such file"), (403, "it isn't given to everybody")])
def test_a_refusal_is_said_at_once(site: Site, status: int, meaning: str) -> None:
    site.serve("thing.bin", CONTENT, answers=[(status, {})])
    with pytest.raises(FetchError, match=f"thing.bin: the server answers {status}: {meaning}") as raised:
        site.fetch("thing.bin")
    assert "\n" not in str(raised.value)
    assert len(site.server.asked) == 1


def test_a_server_that_is_not_there_is_said(site: Site) -> None:
    site.serve("thing.bin", CONTENT)
    site.server.url = "http://127.0.0.1:1"
    with pytest.raises(FetchError, match=r"no connection .*refused"):
        site.fetch("thing.bin")


def test_a_file_of_another_size_than_is_known_is_not_fetched(site: Site) -> None:
    site.serve("thing.bin", CONTENT)
    with pytest.raises(FetchError, match=r"it has 1,280,003 bytes, and 5 are known of it"):
        site.fetch("thing.bin", size=5)
    assert site.tree() == {}
    assert not site.beside("thing.bin.part").exists()


def test_https_is_not_left_for_http() -> None:
    handler = transport._Redirects()
    request = transport.urllib.request.Request("https://example.org/thing.zip")
    with pytest.raises(FetchError, match=r"redirected to http://example\.org/thing\.zip, which is not https"):
        handler.redirect_request(request, None, 302, "", Message(), "http://example.org/thing.zip")  # type: ignore[arg-type]


def test_the_proxy_of_the_environment_is_asked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.serve("http://nowhere.invalid/thing.bin", CONTENT)
    monkeypatch.setenv("http_proxy", site.server.url)
    monkeypatch.setenv("no_proxy", "")
    site.server.files["thing.bin"] = site.server.files["http://nowhere.invalid/thing.bin"]
    site.server.url = "http://nowhere.invalid"
    site.fetch("thing.bin")
    assert [one.path for one in site.server.asked] == ["http://nowhere.invalid/thing.bin"]
    assert site.tree() == {"thing.bin": CONTENT}


def test_a_certificate_that_nobody_signed_is_refused_at_once(site: Site, tmp_path: Path) -> None:
    site.serve("thing.bin", CONTENT)
    with serving(certificate=self_signed(tmp_path)) as secure:
        secure.files["thing.bin"] = site.server.files["thing.bin"]
        site.server.url = secure.url
        with pytest.raises(FetchError, match=r"its certificate doesn't hold \(self.signed certificate\)"):
            site.fetch("thing.bin")
        assert secure.asked == []
    assert site.waits == []


def test_redirections_keep_the_range(site: Site) -> None:
    site.serve("thing.bin", CONTENT, cuts=[1000])
    moved = {"Location": f"{site.server.url}/thing.bin"}
    site.serve("old.bin", CONTENT, answers=[(302, moved), (302, moved)])
    site.fetch("old.bin")
    assert site.tree() == {"old.bin": CONTENT}
    assert [one.start for one in site.server.asked if one.path == "thing.bin"] == [None, 1000]


def test_one_fetch_at_a_time_works_in_a_folder(site: Site) -> None:
    served = site.serve("thing.bin", CONTENT, hold_at=1000)
    first = threading.Thread(target=site.fetch, args=("thing.bin",))
    first.start()
    assert served.reached.wait(30)
    served.hold_at = None
    try:
        with pytest.raises(UsageError, match="another fetch is at work in this folder"):
            site.fetch("thing.bin")
    finally:
        served.go.set()
        first.join()
    assert site.tree() == {"thing.bin": CONTENT}
    assert len(site.server.asked) == 1
