"""The house: a module imports only what stands before it, owned tables are reached only through a Scope, no file grows too long."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import mailhelper
from mailhelper import models

ROOT = Path(mailhelper.__file__).parent
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in ROOT.rglob("*.py") if path.name != "__init__.py" and "migrations" not in path.parts
}
PLACE = {name: number for number, name in enumerate(mailhelper.ORDER)}
OWNED = {model.__name__ for model in models.TABLES if issubclass(model, models.Owned)}
VERBS = {"select", "get", "get_or_none", "get_by_id", "update", "delete", "create", "insert", "insert_many", "filter", "raw", "get_or_create"}
LONGEST = 350


def imports(tree: ast.AST) -> Iterator[str]:
    """The modules of ours that a file imports, as ORDER writes them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mailhelper":
            base = (node.module or "").removeprefix("mailhelper").lstrip(".")
            for alias in node.names:
                whole = f"{base}.{alias.name}".lstrip(".")
                yield whole if whole in PLACE else base
        elif isinstance(node, ast.Import):
            yield from (alias.name.removeprefix("mailhelper.") for alias in node.names if alias.name.startswith("mailhelper."))


def upward(name: str, tree: ast.AST) -> list[str]:
    return [other for other in imports(tree) if other and PLACE[other] >= PLACE[name]]


def unscoped(tree: ast.AST) -> list[int]:
    """Lines that query an owned table without a Scope."""
    return [node.lineno for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and node.attr in VERBS and isinstance(node.value, ast.Name) and node.value.id in OWNED]


def test_every_module_has_its_place_in_the_order() -> None:
    assert sorted(MODULES) == sorted(PLACE)


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name: str) -> None:
    assert upward(name, ast.parse(MODULES[name].read_text())) == []


def test_an_upward_import_is_found() -> None:
    assert upward("errors", ast.parse("from mailhelper import jobs")) == ["jobs"]


@pytest.mark.parametrize("name", [name for name in MODULES if name != "scope"])
def test_owned_tables_are_reached_only_through_a_scope(name: str) -> None:
    assert unscoped(ast.parse(MODULES[name].read_text())) == []


def test_an_unscoped_query_is_found() -> None:
    assert unscoped(ast.parse("Mail.select().where(Mail.id == 5)")) == [1]


@pytest.mark.parametrize("name", [name for name in MODULES if name != "models"])
def test_modules_stay_short(name: str) -> None:
    assert len(MODULES[name].read_text().splitlines()) <= LONGEST


RAW_SQL = {"db", "search"}


@pytest.mark.parametrize("name", [name for name in MODULES if name not in RAW_SQL])
def test_raw_sql_stays_in_its_rooms(name: str) -> None:
    assert "execute_sql" not in MODULES[name].read_text()


EVERYONE = {"ageing", "scope", "jobs", "runner", "pace", "removal", "prefetch", "watch", "providers", "web.ops"}


@pytest.mark.parametrize("name", [name for name in MODULES if name not in EVERYONE])
def test_everyones_rows_are_only_for_bookkeeping(name: str) -> None:
    nodes = [node for node in ast.walk(ast.parse(MODULES[name].read_text())) if isinstance(node, ast.ImportFrom)]
    assert "everyone" not in {alias.name for node in nodes for alias in node.names}
