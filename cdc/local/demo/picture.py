"""Puts a real run of the demo into the README, as text and as a picture: ``python -m cdc.local.demo.picture OUTPUT``.

OUTPUT is a file with what ``cdc demo`` printed (``make picture`` runs both). The picture is an SVG that needs nothing
from elsewhere: rich's own template fetches a font, this one takes the reader's.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from cdc.local.demo.stage import checkout
from cdc.local.demo.telling import WIDTH, styled

MARK = "<!-- demo output -->"
PICTURE = Path("docs", "demo.svg")
_BLOCK = re.compile(rf"{MARK}\n```text\n(.*?)```\n", re.DOTALL)
_FORMAT = (
    re.sub(r" *(?:@font-face \{\{.*?\}\}|<!--.*?-->)\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    .replace("Fira Code", "ui-monospace")
    .replace('<g class="{unique_id}-matrix">', '<g class="{unique_id}-matrix" xml:space="preserve">')
)
"""rich's template without its @font-face rules, which fetch a font."""


def block(readme: str) -> str:
    """The output that a README shows.

    Raises:
        ValueError: it has no such block.
    """
    found = _BLOCK.search(readme)
    if found is None:
        raise ValueError(f"the README has no text block after {MARK}")
    return found[1]


def with_block(readme: str, output: str) -> str:
    """The README with another output in its block."""
    return readme.replace(block(readme), output)


def picture(output: str) -> str:
    """The output as an SVG, in the colours of a terminal."""
    with Path("/dev/null").open("w") as nowhere:
        console = Console(
            record=True, width=WIDTH, file=nowhere, force_terminal=True, color_system="truecolor", highlight=False
        )
        for line in output.splitlines():
            console.print(styled(line), soft_wrap=True)
        return console.export_svg(title="make demo", code_format=_FORMAT, unique_id="demo")


def main(path: str) -> None:
    """Write both."""
    root, output = checkout(), Path(path).read_text().strip("\n") + "\n"
    readme = root / "README.md"
    readme.write_text(with_block(readme.read_text(), output))
    (root / PICTURE).write_text(picture(output))


if __name__ == "__main__":
    main(sys.argv[1])
