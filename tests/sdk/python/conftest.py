"""Starts a provider on loopback and a real edgeway in front of it, once for all tests."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
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
listen = "127.0.0.1:{port}"

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


def free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def gateway():
    """The base URL of a running gateway."""
    binary = os.environ.get("EDGEWAY_BIN", ROOT / "target" / "debug" / "edgeway")
    provider = subprocess.Popen([sys.executable, ROOT / "tests/sdk/mock_provider.py"], stdout=subprocess.PIPE, text=True)
    upstream = int(provider.stdout.readline().split()[1])
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "edgeway.toml"
        config.write_text(CONFIG.format(port=port, upstream=upstream))
        log = open(pathlib.Path(folder) / "log", "w+")
        environment = {"PATH": os.environ["PATH"], "GATEWAY_KEY": "gateway-key", "UPSTREAM_KEY": "upstream-key"}
        server = subprocess.Popen([binary, "serve", "--config", config], env=environment, stdout=log, stderr=subprocess.STDOUT)
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until_ready(url, server, log)
            yield url
        finally:
            server.terminate()
            server.wait(30)
            provider.kill()


def wait_until_ready(url, server, log):
    for _ in range(600):
        try:
            with urllib.request.urlopen(url + "/ready", timeout=1) as response:
                assert json.load(response)["status"] == "ok"
                return
        except OSError:
            try:
                server.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            log.seek(0)
            raise RuntimeError(f"edgeway ended:\n{log.read()}") from None
    raise RuntimeError("edgeway did not become ready within 30 s")


@pytest.fixture(params=["openai", "anthropic", "gemini"])
def upstream(request):
    """Each protocol that may be behind the gateway."""
    return request.param
