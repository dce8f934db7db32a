"""Tables in Markdown, and progress messages."""

import sys
from collections.abc import Sequence


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown; all columns but the first are aligned to the right."""
    ruler = ["---", *["---:"] * (len(columns) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, ruler, *rows))


def say(text: str) -> None:
    """Print progress on stderr; stdout has only the tables."""
    print(text, file=sys.stderr, flush=True)
