"""What is written for people is true: commands parse, links lead somewhere, no registry named."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.packaging import command_lines

REPOSITORY = Path(__file__).parents[2]
PAGES = sorted(
    page.relative_to(REPOSITORY)
    for page in (
        *REPOSITORY.glob("*.md"),
        *(REPOSITORY / "docs").rglob("*.md"),
        *(REPOSITORY / "examples").rglob("*.md"),
    )
)
# Hosts of registries and mirrors belong into a reader's own configuration.
REGISTRY = re.compile(
    r"index-url[= ]+\S*://|registry\s*=\s*\S*://|files\.pythonhosted|pypi\.org/simple|\"resolved\":"
)
LINK = re.compile(r"\[[^\]]*\]\((?!https?://|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)")


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=REPOSITORY, capture_output=True, check=False, text=True
    )
    return [REPOSITORY / name for name in listed.stdout.splitlines()]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_command_lines_on_the_page_are_accepted(page: Path) -> None:
    for words in command_lines.of_markdown((REPOSITORY / page).read_text()):
        command_lines.check(words)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_on_the_page_lead_somewhere(page: Path) -> None:
    here = (REPOSITORY / page).parent
    links = LINK.findall((REPOSITORY / page).read_text())
    assert not [link for link in links if not (here / link).exists()]


def test_no_file_names_a_registry() -> None:
    named = [
        str(path)
        for path in tracked()
        if path.is_file()
        and path != Path(__file__)
        and REGISTRY.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert not named
