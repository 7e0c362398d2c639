"""The administration does what its OpenAPI document says: schemathesis asks a real gateway whatever the document allows, and more."""

import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import urllib.request

import conftest

CONFIG = """
[server]
listen = "127.0.0.1:0"
store = "memory"

[admin]
keys = ["EDGEWAY_ADMIN_KEY"]
"""
KEY = "operator-key"
HERE = pathlib.Path(__file__).parent


def ask(url, method="GET", body=None):
    """What the operator is answered."""
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.read()


def test_the_administration_keeps_to_its_document():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "edgeway.toml").write_text(CONFIG)
        environment = {"EDGEWAY_ADMIN_KEY": KEY}
        command = [*conftest.launcher()["command"], "--config", folder / "edgeway.toml"]
        server = subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        log, said = [], conftest.queue.SimpleQueue()
        threading.Thread(target=conftest.forward, args=(server.stdout, log, said), daemon=True).start()
        try:
            url = conftest.address(said, log)
            (folder / "openapi.json").write_bytes(ask(f"{url}/admin/v1/openapi.json"))
            for tenant in ["a", "b"]:
                ask(f"{url}/admin/v1/tenants", "POST", {"id": tenant})
            command = [pathlib.Path(sys.executable).parent / "schemathesis", "--config-file", HERE / "schemathesis.toml", "run"]
            command += [folder / "openapi.json", "--url", url, "-H", f"Authorization: Bearer {KEY}", "--checks", "all"]
            command += ["--phases", "examples,coverage,fuzzing", "--max-examples", "8", "--continue-on-failure", "--seed", "7"]
            command += ["--generation-deterministic", "--no-color"]
            run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
        finally:
            server.terminate()
            server.wait(30)
        assert run.returncode == 0, run.stdout[-12000:] + run.stderr[-2000:]
        assert "Traceback" not in "".join(log) and "panicked" not in "".join(log)
