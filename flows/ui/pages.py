"""The owners' page as HTML: the templates beside this module, filled in."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.audit.report import wording
from index.audit.report.markup import SYMBOLS
from index.audit.report.page import environment_of
from index.audit.report.rows import safe_url
from index.freshness.finding import CODES

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).parent
#: The look of the report, and what the page adds to it.
STYLE = "\n".join(
    (
        (Path(wording.__file__).parent / "style.css").read_text(encoding="utf-8"),
        (_HERE / "page.css").read_text(encoding="utf-8"),
    )
)

#: Rows of a list.
ROWS_MAX = 200


@cache
def _environment() -> Environment:
    environment = environment_of(_HERE)
    environment.globals |= {
        "codes": CODES,
        "day": wording.day,
        "dated_by": wording.dated_by,
        "due": wording.due,
        "finding_name": wording.finding_name,
        "name": wording.name,
        "nobody": wording.NOBODY,
        "reviewed": wording.reviewed,
        "rows_max": ROWS_MAX,
        "safe_url": safe_url,
        "symbols": SYMBOLS,
        "verdicts": wording.VERDICTS,
    }
    return environment


def page(template: str, **values: Any) -> str:
    """One of the templates ``list``, ``document`` and ``message``."""
    return _environment().get_template(f"{template}.html.jinja").render(**values)
