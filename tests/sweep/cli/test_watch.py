"""`sweep report --watch`: the page of a running sweep, and in a browser."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import time
from urllib.request import urlopen

import pytest

from tests.sweep.cli.command import sweep
from tests.sweep.small import run_inline, small_spec

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def test_without_a_driver_the_page_is_final(tmp_path):
    run_inline(tmp_path / "r", small_spec(variants="base", seeds="0:3", set={"epochs": 1}))
    ended = sweep("report", "--watch", "--root", tmp_path / "r", "--out", tmp_path / "page.html")
    assert ended.code == 0, ended.err
    assert ended.err == f"wrote {tmp_path / 'page.html'}\nno driver is running; 3 of 3 runs finished\n"
    assert 'http-equiv="refresh"' not in (tmp_path / "page.html").read_text()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no browser")
def test_a_browser_sees_a_running_sweep_and_its_end(tmp_path):
    """Two states without a reload by hand, and no message on the console."""
    command = [sys.executable, "-m", "sweep"]
    spec = ("run", "--variants", "base", "--seeds", "0:48", "--epochs", "60", "--shard-width", "4")
    page = tmp_path / "page.html"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(
        [*command, *spec, "--executor", "inline", "--root", tmp_path / "r"], **quiet
    ) as run:
        wait(lambda: list((tmp_path / "r" / "epochs").rglob("*.parquet")))
        watch = ("report", "--watch", "--interval", "2", "--root", tmp_path / "r", "--out", page)
        with subprocess.Popen([*command, *watch], **quiet) as writer:
            wait(page.exists)
            states, messages = asyncio.run(browse(page, tmp_path / "profile"))
            assert writer.wait(120) == 0
        assert run.wait(120) == 0
    counts = [int(found[1]) for state in states if (found := re.search(r"running, (\d+) of 48 runs", state))]
    assert counts
    assert min(counts) < 48
    assert "PROVISIONAL" not in states[-1]
    assert messages == []


def wait(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


async def browse(page, profile, seconds=240):
    """Open a page once; the texts of its banner in order until it has none, and the console's messages."""
    import aiohttp

    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0")
    browser = subprocess.Popen(
        [CHROMIUM, *flags, f"--user-data-dir={profile}", page.as_uri()],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"HOME": str(profile)},
    )
    try:
        port_file = profile / "DevToolsActivePort"
        wait(lambda: port_file.exists() and port_file.read_text().strip())
        port = port_file.read_text().split()[0]
        with urlopen(f"http://127.0.0.1:{port}/json") as answer:
            address = next(t["webSocketDebuggerUrl"] for t in json.load(answer) if t["type"] == "page")
        states, messages = [], []
        async with aiohttp.ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
            for number, method in enumerate(("Runtime.enable", "Log.enable")):
                await socket.send_json({"id": number, "method": method})
            script = (
                "document.readyState + location.protocol + '|' + "
                "(document.querySelector('.provisional')?.textContent ?? '')"
            )
            end, asked = time.monotonic() + seconds, 10
            while time.monotonic() < end:
                asked += 1
                await socket.send_json(
                    {"id": asked, "method": "Runtime.evaluate", "params": {"expression": script}}
                )
                while (answer := await socket.receive_json(timeout=30)).get("id") != asked:
                    if answer.get("method") in (
                        "Runtime.consoleAPICalled",
                        "Runtime.exceptionThrown",
                        "Log.entryAdded",
                    ):
                        messages.append(answer["params"])
                ready, _, text = answer["result"]["result"].get("value", "").partition("|")
                loaded = ready == "completefile:"  # not the empty document before the page
                if loaded and (not states or states[-1] != text):
                    states.append(text)
                if loaded and "PROVISIONAL" not in text:
                    return states, messages
                await asyncio.sleep(0.3)
        raise AssertionError(states)
    finally:
        browser.terminate()
        browser.wait()
