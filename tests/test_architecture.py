"""The import graph is the design: what may know what."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted([*ROOT.glob("service/**/*.py"), *ROOT.glob("telemetry/**/*.py")])
ADAPTERS = {"service.exchanges.paper", "service.exchanges.ccxt", "service.journal.sqlite", "telemetry.setup"}


def imports(path: Path) -> set[str]:
    """Every module that the file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


@pytest.mark.parametrize("path", [p for p in MODULES if within(name_of(p), "service.core")], ids=name_of)
def test_the_core_imports_the_standard_library_msgspec_and_itself(path: Path) -> None:
    for module in imports(path):
        top = module.partition(".")[0]
        assert top in sys.stdlib_module_names or top == "msgspec" or within(module, "service.core"), module
        assert top not in {"asyncio", "socket", "sqlite3", "threading", "time", "os", "random"}, (
            f"I/O in core: {module}"
        )


@pytest.mark.parametrize("path", [p for p in MODULES if within(name_of(p), "telemetry")], ids=name_of)
def test_telemetry_never_imports_the_service(path: Path) -> None:
    assert not [module for module in imports(path) if within(module, "service")]


@pytest.mark.parametrize("path", [p for p in MODULES if within(name_of(p), "service")], ids=name_of)
def test_the_service_sees_no_telemetry_engine(path: Path) -> None:
    engines = ("opentelemetry", "prometheus_client")
    assert not [module for module in imports(path) if module.startswith(engines)]
    if name_of(path) != "service.app":
        allowed = ("telemetry.conventions", "telemetry.facade", "telemetry.choice")
        assert not [
            m for m in imports(path) if within(m, "telemetry") and m != "telemetry" and not m.startswith(allowed)
        ]


@pytest.mark.parametrize("path", [p for p in MODULES if within(name_of(p), "service")], ids=name_of)
def test_only_the_composition_root_builds_adapters(path: Path) -> None:
    module = name_of(path)
    if module == "service.app":
        return
    for adapter in ADAPTERS:
        if within(module, adapter) or (module == "service.settings" and adapter == "service.exchanges.paper"):
            continue  # the adapter's settings are part of the configuration
        assert not [m for m in imports(path) if within(m, adapter)], f"{module} knows {adapter}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_ccxt_and_its_http_library_are_used_in_one_package(path: Path) -> None:
    if not within(name_of(path), "service.exchanges.ccxt"):
        assert not [module for module in imports(path) if within(module, "ccxt") or within(module, "aiohttp")]


def test_modules_import_each_other_without_a_cycle() -> None:
    known = {name_of(path) for path in MODULES}
    graph = {name_of(path): {m for m in imports(path) if m in known} for path in MODULES}
    seen: dict[str, int] = {}

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert seen.get(module) != 1, f"cycle: {' -> '.join((*way, module))}"
        if module in seen:
            return
        seen[module] = 1
        for other in graph[module] - {module}:
            visit(other, (*way, module))
        seen[module] = 2

    for module in graph:
        visit(module, ())
