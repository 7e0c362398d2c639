"""What the README shows a newcomer works as it stands there."""

import pathlib
import re
import subprocess

import pytest
from conftest import ROOT

README = pathlib.Path(ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_readme_shows_all_three_clients():
    assert len(blocks("python")) == 3 and len(blocks("sh")) == 1


@pytest.mark.parametrize("block", blocks("python"), ids=["openai", "anthropic", "genai"])
def test_a_python_example(gateway, block, capsys):
    exec(block.replace("http://127.0.0.1:8787", gateway).replace("unused", "gateway-key"), {})
    assert "Hello there" in capsys.readouterr().out


def test_the_shell_example(gateway):
    command = blocks("sh")[0].replace("http://127.0.0.1:8787", gateway)
    command = command.replace("curl ", "curl -sSf -H 'authorization: Bearer gateway-key' ")
    answer = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout
    assert answer.endswith("data: [DONE]\n\n") and "there" in answer
