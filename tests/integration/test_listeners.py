"""Worker processes with several listeners, and the client and commands that come to them with a token."""

from __future__ import annotations

import json
import ssl
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from spanserve.access import AccessError, Token
from spanserve.cli.main import main
from spanserve.client import AccessDenied, AsyncClient, ClientError, Dispatcher, Tls
from tests.kit.credential_files import Files
from tests.kit.fleets import UpProcess
from tests.kit.http import get
from tests.kit.identity import make_identity
from tests.kit.processes import WorkerProcess
from tests.kit.waiting import eventually
from tests.kit.wire import CONTEXT, make_tasks

StartWorker = Callable[..., WorkerProcess]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = Files(tmp_path)
    made.serve_with(make_identity(tmp_path, "first"))
    made.let_in("bulk")
    return made


def arguments_of(files: Files) -> list[str]:
    made = files.settings
    return [*("--tls-cert", str(made.tls_cert), "--tls-key", str(made.tls_key)), "--tokens", str(made.tokens)]


def token_file(files: Files, name: str) -> Path:
    path = files.folder / f"{name}.token"
    path.write_text(f"{files.tokens[name]}\n")
    return path


async def test_several(start_worker: StartWorker, files: Files) -> None:
    """One worker listens on a port in plaintext, on another with TLS and tokens, and on a socket file of a mode."""
    where = ("127.0.0.1:0?plain", "127.0.0.1:0", f"unix:{files.folder}/w.sock?plain&mode=0660")
    worker = start_worker(*arguments_of(files), env={"SPANSERVE_LISTEN": " ".join(where)})
    worker.wait_ready()
    found = {record["scheme"]: record["address"] for record in worker.records("listening")}
    assert ["plain", "tls&tokens", "plain&mode=0660"] == list(found)
    assert 0o660 == stat.S_IMODE((files.folder / "w.sock").stat().st_mode)
    tls = Tls(ca=files.server.cert)
    clients = {
        "plain": AsyncClient(found["plain"]),
        "tls&tokens": AsyncClient(found["tls&tokens"], tls=tls, token=token_file(files, "bulk")),
        "plain&mode=0660": AsyncClient(
            found["plain&mode=0660"], token=files.tokens["bulk"]
        ),  # of no use there
    }
    for client in clients.values():
        async with client:
            assert any(status.ready for status in (await client.wait_ready()).values())
            (result,) = await client.ask(CONTEXT, ["Who said?"])
            assert result.answer is not None
            results = [result async for result in client.answer_all(make_tasks(20))]
            assert 20 == sum(result.questions[0].answer is not None for result in results)


async def test_no_token(start_worker: StartWorker, files: Files) -> None:
    """Without a token, or with another one, a client learns so at once, however long it would wait for a worker."""
    worker = start_worker(*arguments_of(files)).wait_ready()
    tls, began = Tls(ca=files.server.cert), time.monotonic()
    for token in (None, "bulk.0123456789012345678901234567890123456789012"):
        async with AsyncClient(worker.address, tls=tls, token=token, wait_s=600) as client:
            for call in (client.wait_ready(), client.ask(CONTEXT, ["Who said?"])):
                with pytest.raises(AccessDenied, match="UNAUTHENTICATED"):
                    await call
            with pytest.raises(AccessDenied, match=f"{worker.address}: UNAUTHENTICATED"):
                _ = [result async for result in client.answer_all(make_tasks(1))]
            assert {} == await client.describe()
    assert time.monotonic() - began < 300


async def test_never_in_plaintext(files: Files) -> None:
    """A token is shown to nobody in plaintext; a file without one is refused before anything is sent."""
    with pytest.raises(ClientError, match=r"worker 127\.0\.0\.1:1: a token is sent only over TLS"):
        AsyncClient("127.0.0.1:1", token=files.tokens["bulk"])
    async with AsyncClient("localhost:1", token=files.tokens["bulk"], wait_s=0) as client:
        with pytest.raises(ClientError, match="a token is sent only over TLS"):
            await client.ask(CONTEXT, ["Who said?"])
        with pytest.raises(ClientError, match="a token is sent only over TLS"):
            _ = [result async for result in client.answer_all(make_tasks(1))]
    async with AsyncClient(
        "127.0.0.1:1", tls=Tls(ca=files.server.cert), token=files.folder / "none"
    ) as client:
        with pytest.raises(AccessError, match="none cannot be read"):
            await client.ask(CONTEXT, ["Who said?"])


async def test_who_may_only_ask(start_worker: StartWorker, files: Files) -> None:
    """A client that may ask and not look at the worker still learns that it serves, and asks."""
    path = files.folder / "tokens"
    path.write_text(path.read_text().replace("ask,observe", "ask"))
    worker = start_worker(*arguments_of(files)).wait_ready()
    token = files.tokens["bulk"]
    async with AsyncClient(worker.address, tls=Tls(ca=files.server.cert), token=token) as client:
        (status,) = (await client.wait_ready()).values()
        assert (True, "") == (status.ready, status.model_digest)
        (result,) = await client.ask(CONTEXT, ["Who said?"])
        assert result.answer is not None


async def test_a_token_is_changed_in_a_run(start_worker: StartWorker, files: Files) -> None:
    """A run goes on with the new token in the file when the old one is withdrawn, and loses nothing."""
    worker = start_worker(*arguments_of(files), device="sim:fixed?latency_ms=20").wait_ready()
    shown = token_file(files, "bulk")
    dispatcher = Dispatcher([worker.address], tls=Tls(ca=files.server.cert), token=Token(shown))
    tasks, answered, changed = make_tasks(600), 0, False
    async for results in dispatcher.run(tasks):
        answered += sum(result.questions[0].answer is not None for result in results)
        if not changed:
            changed = True
            files.let_in("bulk-2")
            shown.write_text(files.tokens["bulk-2"])
            files.revoke("bulk")
            await eventually(lambda: bool(worker.records("credentials read again")))
    assert 600 == answered
    assert worker.records("stream closed")


def test_commands(
    start_worker: StartWorker,
    files: Files,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`ask` and `eval` show the token of a file, named by option or variable; a command without says who refused."""
    worker = start_worker(*arguments_of(files)).wait_ready()
    shown = str(token_file(files, "bulk"))
    where = ("--worker", worker.address, "--tls-ca", str(files.server.cert))

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    ask = ("ask", *where, "-c", CONTEXT, "Who said?", "--json")
    status, out, _ = run(*ask, "--token-file", shown)
    assert (0, True) == (status, "text" in json.loads(out)[0])
    status, _, err = run(*ask)
    assert (2, "AccessDenied") == (status, json.loads(err)["error"])
    monkeypatch.setenv("SPANSERVE_TOKEN_FILE", shown)
    status, out, _ = run("eval", *where, "-o", str(files.folder / "out"), "--json")
    assert (0, 0) == (status, json.loads(out)["missing"])
    status, out, _ = run("ask", "-c", CONTEXT, "Who said?", "--json")  # a private worker asks for none
    assert (0, True) == (status, "text" in json.loads(out)[0])


async def test_pages_of_a_worker(start_worker: StartWorker, tmp_path: Path) -> None:
    """/livez and /readyz say whether it moves and serves, and /metrics has what was refused and what expires."""
    worker = start_worker(
        "--metrics", f"unix:{tmp_path}/m.sock?mode=0600", "--anonymous", "none"
    ).wait_ready()
    pages = f"unix:{tmp_path}/m.sock"
    assert (200, "OK") == await get(pages, "/livez") == await get(pages, "/readyz")
    async with AsyncClient(worker.address, wait_s=0) as client:
        with pytest.raises(AccessDenied, match="requires a credential to ask"):
            await client.ask(CONTEXT, ["Who said?"])
    assert 'spanserve_denied_calls_total{reason="unauthenticated"} 1.0' in (await get(pages, "/metrics"))[1]
    (record,) = worker.records("caller denied")
    assert "unauthenticated" == record["reason"]


async def test_fleet(start_up: Callable[..., UpProcess], files: Files) -> None:
    """Workers of `up` ask for tokens as a single one does; its own pages and health are served by the same list."""
    files.let_in("viewer")
    path = files.folder / "tokens"
    text = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*text[:-1], text[-1].replace("ask,observe", "observe")]))
    up = start_up(*arguments_of(files), "--anonymous", "none", workers=1, scheme="?tls&tokens")
    up.wait_serving(1)
    tls = Tls(ca=files.server.cert)
    async with AsyncClient(*up.addresses, tls=tls, token=token_file(files, "bulk")) as client:
        (result,) = await client.ask(CONTEXT, ["Who said?"])
        assert result.answer is not None
    context = ssl.create_default_context(cafile=str(files.server.cert))
    assert (200, "OK") == await get(up.pages, "/readyz", context)
    assert 401 == (await get(up.pages, "/metrics", context))[0]
    right = f"Bearer {files.tokens['viewer']}"

    async def told() -> bool:
        return (
            "spanserve_questions_total" in (await get(up.pages, "/metrics", context, authorization=right))[1]
        )

    await eventually(told)
    assert 1 == json.loads((await get(up.pages, "/readyz", context, authorization=right))[1])["serving"]
