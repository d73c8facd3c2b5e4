"""Whatever keeps a command from a store on S3 is told in one line, with status 2, and no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import partonomy_data
from partonomy_data import UsageError
from partonomy_data.cli import app, main
from partonomy_data.errors import StoreError
from partonomy_data.store.remote.connecting import connect
from tests.helpers import paco
from tests.store.remote.conftest import Remote
from tests.store.remote.server import Server

Refused = Callable[..., str]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs a command that must fail, and returns the line that says why."""

    def run(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["partonomy", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
        assert ended.value.code == 2
        assert len(lines) == 1, lines
        return lines[0]

    return run


def test_a_bucket_that_is_not_there(server: Server, refused: Refused, tmp_path: Path) -> None:
    line = refused("query", "SELECT 1", "--root", "s3://no-such-bucket/store")
    assert (
        line == "partonomy: s3://no-such-bucket/store: there is no bucket 'no-such-bucket'. Check its name, or make it."
    )
    source = paco.write(tmp_path / "paco")
    build = ["build", "--source", f"paco={source}", "--workers", 1, "--state", tmp_path / "state"]
    assert "there is no bucket" in refused(*build, "--root", "s3://no-such-bucket/store")
    for command in (["versions"], ["rollback", "0123456789abcdef"], ["prune"], ["diff", "0" * 16, "1" * 16]):
        assert "there is no bucket" in refused(*command, "--root", "s3://no-such-bucket/store")


def test_a_store_that_is_not_there(remote: Remote, refused: Refused) -> None:
    assert "nothing is published here yet" in refused("query", "SELECT 1", "--root", remote.address)
    assert "nothing is published here yet" in refused("versions", "--root", remote.address)
    assert "nothing is published here yet" in refused("prune", "--root", remote.address)


def test_a_server_that_is_not_there(remote: Remote, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    line = refused("query", "SELECT 1", "--root", remote.address)
    assert line.endswith("the server at http://127.0.0.1:9 can't be reached. Check the network and AWS_ENDPOINT_URL.")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    assert "nonsense" in refused("query", "SELECT 1", "--root", remote.address)


def test_a_server_that_goes_away_while_a_store_is_open(
    remote: Remote, running: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.store.remote.server import serving

    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with serving() as brief:
        monkeypatch.setenv("AWS_ENDPOINT_URL", brief.url)
        connect(remote.bucket.address).client.create_bucket(Bucket=remote.bucket.address.bucket)
        remote.publish()
        store = partonomy_data.open(remote.address)
    with store, pytest.raises(StoreError, match="the server can't be read from") as told:
        store.select("SELECT max(part_id) FROM parts")
    assert "\n" not in str(told.value)


def test_credentials(remote: Remote, server: Server, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    remote.publish()
    with monkeypatch.context() as patch:
        patch.delenv("AWS_ACCESS_KEY_ID")
        patch.delenv("AWS_SECRET_ACCESS_KEY")
        assert "there are no credentials for S3" in refused("query", "SELECT 1", "--root", remote.address)
        patch.setenv("AWS_PROFILE", "nobody")
        assert "nobody" in refused("query", "SELECT 1", "--root", remote.address)
    server.admit(0)
    try:
        line = refused("query", "SELECT 1", "--root", remote.address)
    finally:
        server.admit(10**9)
    assert "doesn't accept these credentials (InvalidAccessKeyId)" in line


def test_who_may_read_only(remote: Remote, server: Server, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    version = remote.publish()
    reading = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}
    key, secret = user({"Version": "2012-10-17", "Statement": [reading]})
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    server.admit(0)
    try:
        with partonomy_data.open(remote.address) as store:
            assert store.sql("SELECT count(*) FROM parts").fetchall() == [(27,)]
        line = refused("rollback", version, "--root", remote.address)
    finally:
        server.admit(10**9)
    assert line.startswith(
        f"partonomy: {remote.address}: with these credentials it may not be written to (AccessDenied)"
    )


def user(policy: dict[str, object]) -> tuple[str, str]:
    """The keys of a new user who may do that much."""
    import botocore.session

    client = botocore.session.get_session().create_client("iam", region_name="us-east-1")
    client.create_user(UserName="reader")
    client.put_user_policy(UserName="reader", PolicyName="reads", PolicyDocument=json.dumps(policy))
    made = client.create_access_key(UserName="reader")["AccessKey"]
    return made["AccessKeyId"], made["SecretAccessKey"]


def test_who_may_nothing(remote: Remote, server: Server, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    import botocore.session

    client = botocore.session.get_session().create_client("iam", region_name="us-east-1")
    client.create_user(UserName="nobody")
    made = client.create_access_key(UserName="nobody")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", made["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", made["SecretAccessKey"])
    server.admit(0)
    try:
        line = refused("query", "SELECT 1", "--root", remote.address)
    finally:
        server.admit(10**9)
    assert "with these credentials it may not be read (AccessDenied)" in line


def test_a_server_without_conditional_writes(remote: Remote, server: Server, refused: Refused, tmp_path: Path) -> None:
    server.control(conditions=False)
    source = paco.write(tmp_path / "paco")
    build = ["build", "--source", f"paco={source}", "--workers", 1, "--state", remote.state, "--root", remote.address]
    assert "the server knows no conditional writes" in refused(*build)


def test_addresses_and_state_folders(remote: Remote, refused: Refused, tmp_path: Path) -> None:
    assert "is no address of a store" in refused("versions", "--root", "s3://UPPER/x")
    assert "is no address of a store" in refused("versions", "--root", "s3://bucket/../x")
    assert "--state is for a store on S3" in refused("validate", "--root", tmp_path, "--state", tmp_path / "state")
    assert "a store on S3 has no catalog" in refused("relink", "--root", remote.address)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "REMOTE").write_text("s3://other/place\n")
    line = refused("validate", "--root", remote.address, "--state", tmp_path / "state")
    assert "is the state of s3://other/place" in line


def test_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(UsageError, match=r"pip install 'partonomy-data\[s3\]'"):
        partonomy_data.open("s3://bucket/store")


def test_who_uses_no_bucket_imports_nothing_of_it(one_version: Path) -> None:
    code = (
        "import sys, partonomy_data, partonomy_data.cli, partonomy_data.pipeline\n"
        f"with partonomy_data.open({str(one_version)!r}) as store: store.table('parts')\n"
        f"partonomy_data.versions({str(one_version)!r})\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('botocore', 'boto3', 's3fs')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_options_are_told() -> None:
    from typer.testing import CliRunner

    for command in ("build", "refresh", "validate", "prune", "migrate", "demo", "audit"):
        told = CliRunner().invoke(app, [command, "--help"]).output
        assert "--state" in told
        assert "s3://" in told
    assert "--grace" in CliRunner().invoke(app, ["prune", "--help"]).output
