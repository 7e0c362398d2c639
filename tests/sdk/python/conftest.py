"""Starts a provider on loopback and a real edgeway in front of it, once for all tests."""

import json
import os
import pathlib
import queue
import re
import subprocess
import sys
import tempfile
import threading
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WEATHER = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False},
}
ANSWER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}
MODELS = {"openai": "gpt-5", "anthropic": "claude-sonnet-4-5", "gemini": "gemini-2.5-flash"}
CONFIG = """
[server]
listen = "127.0.0.1:0"

[auth]
keys = ["GATEWAY_KEY"]

[providers.up-openai]
base_url = "http://127.0.0.1:{upstream}/openai/v1"
dialects = ["openai_chat"]
key = "UPSTREAM_KEY"

[providers.up-anthropic]
base_url = "http://127.0.0.1:{upstream}/anthropic/v1"
dialects = ["anthropic_messages"]
key = "UPSTREAM_KEY"

[providers.up-gemini]
base_url = "http://127.0.0.1:{upstream}/gemini/v1beta"
dialects = ["gemini"]
key = "UPSTREAM_KEY"
"""


def named(upstream, script):
    """The model at `upstream` that follows `script`, see mock_provider.py."""
    return f"up-{upstream}/{MODELS[upstream]}@{script}"


def launcher():
    """How the target's gateway is started: as `EDGEWAY_LAUNCHER` says in JSON, else the native server."""
    given = os.environ.get("EDGEWAY_LAUNCHER")
    if given:
        return json.loads(given)
    binary = os.environ.get("EDGEWAY_BIN", str(ROOT / "target" / "debug" / "edgeway"))
    return {"command": [binary, "serve"], "environment": []}


@pytest.fixture(scope="session")
def gateway():
    """The base URL of a running gateway."""
    provider = subprocess.Popen([sys.executable, ROOT / "tests/sdk/mock_provider.py"], stdout=subprocess.PIPE, text=True)
    upstream = int(provider.stdout.readline().split()[1])
    target = launcher()
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "edgeway.toml"
        config.write_text(CONFIG.format(upstream=upstream))
        environment = dict(target["environment"]) | {"GATEWAY_KEY": "gateway-key", "UPSTREAM_KEY": "upstream-key"}
        command = [*target["command"], "--config", config]
        server = subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        log = []
        said = queue.SimpleQueue()
        threading.Thread(target=forward, args=(server.stdout, log, said), daemon=True).start()
        try:
            yield address(said, log)
        finally:
            server.terminate()
            ended = server.wait(30)
            provider.kill()
        assert ended == 0, f"the gateway ended with {ended}:\n{''.join(log)}"


def forward(output, log, said):
    """Keeps what a gateway prints, and says where it listens."""
    for line in output:
        log.append(line)
        found = re.search(r"http://127\.0\.0\.1:[1-9]\d*", line)
        if found and said.empty():
            said.put(found[0])
    said.put(None)


def address(said, log):
    try:
        url = said.get(timeout=60)
    except queue.Empty:
        url = None
    if url is None:
        raise RuntimeError(f"the gateway does not say where it listens:\n{''.join(log)}")
    with urllib.request.urlopen(url + "/ready", timeout=10) as response:
        assert json.load(response)["status"] == "ok"
    return url


@pytest.fixture(params=["openai", "anthropic", "gemini"])
def upstream(request):
    """Each protocol that may be behind the gateway."""
    return request.param
