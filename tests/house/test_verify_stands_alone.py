"""The verifier needs the standard library and itself, nothing else: it will run where nothing else is installed."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

from tests.house.test_docs import ROOT

PACKAGE = ROOT / "cdc" / "audit" / "verify"
SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import alone
report = alone.verify_log(alone.Given("operations", alone.StatedTree("operations/1", 0, ()), []))
ours = sorted({module.split(".")[0] for module in sys.modules} - set(sys.stdlib_module_names) - {"__main__"})
print(report.verdict, ours)
"""


def foreign_imports(source: str, siblings: set[str]) -> list[str]:
    """What a module imports besides the standard library and modules beside it."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] not in sys.stdlib_module_names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found += [str(node.module)] if str(node.module).split(".")[0] not in sys.stdlib_module_names else []
        elif isinstance(node, ast.ImportFrom):
            names = [str(node.module)] if node.module else [alias.name for alias in node.names]
            found += ["." * node.level + name for name in names if node.level > 1 or name not in siblings]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in DYNAMIC:
            found.append(ast.unparse(node))
    return found


DYNAMIC = {"__import__", "import_module", "exec", "eval"}


def test_it_imports_the_standard_library_and_itself_only():
    modules = sorted(PACKAGE.glob("*.py"))
    assert len(modules) > 10
    assert [path for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"] == []
    siblings = {path.stem for path in modules}
    assert {path.name: found for path in modules if (found := foreign_imports(path.read_text(), siblings))} == {}


def test_it_runs_isolated_from_everything_installed(tmp_path: Path):
    shutil.copytree(PACKAGE, tmp_path / "alone", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.stderr, done.stdout) == ("", "INCOMPLETE ['alone']\n")


def test_foreign_imports_are_found():
    source = "import json, psycopg2\nfrom cdc.entry import canonical\nfrom . import tree, other\nfrom .tree import x\nfrom .. import y\n"
    assert foreign_imports(source, {"tree"}) == ["psycopg2", "cdc.entry", ".other", "..y"]
    assert foreign_imports("from importlib import import_module\nimport_module('x')\n", set()) == ["import_module('x')"]
