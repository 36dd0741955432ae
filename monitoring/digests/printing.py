"""A digest as a PDF. fpdf2 is loaded only when one is asked for; it draws no page of ours and reaches no network."""

from typing import Any, Final

from monitoring.models import Digest

# The built-in fonts know latin-1; what is beyond it is spelled, or a question mark.
_SPELLED: Final = str.maketrans(
    {"≤": "<=", "≥": ">=", "−": "-", "–": "-", "—": "-", "“": '"', "”": '"', "„": '"', "’": "'", "…": "...", "€": "EUR"}
)
_WIDTH: Final = 180.0


def pdf(digest: Digest, title: str) -> bytes:
    """The whole digest on A4."""
    from fpdf import FPDF  # noqa: PLC0415 - 12 MB with its fonts and pictures, for one page of the product

    page = FPDF(format="A4")
    page.set_title(_plain(title))
    page.set_creator("Watchkeeper")
    page.set_margins(15, 15, 15)
    page.set_auto_page_break(auto=True, margin=15)
    page.add_page()
    page.set_font("Helvetica", "B", 17)
    page.multi_cell(_WIDTH, 9, _plain(title), new_x="LMARGIN", new_y="NEXT")
    page.set_font("Helvetica", "", 10)
    page.set_text_color(90, 98, 112)
    span = f"{digest.since:%Y-%m-%d} - {digest.until:%Y-%m-%d} (UTC), Watchkeeper"
    page.multi_cell(_WIDTH, 6, span, new_x="LMARGIN", new_y="NEXT")
    for section in digest.body["sections"]:
        _section(page, section)
    return bytes(page.output())


def _section(page: Any, section: dict[str, Any]) -> None:
    page.ln(5)
    page.set_text_color(18, 23, 34)
    page.set_font("Helvetica", "B", 12)
    page.multi_cell(_WIDTH, 7, _plain(section["title"]), new_x="LMARGIN", new_y="NEXT")
    page.set_font("Helvetica", "", 10)
    for line in section["lines"]:
        page.multi_cell(_WIDTH, 5.5, _plain(line), new_x="LMARGIN", new_y="NEXT")
    if not section["rows"]:
        return
    page.set_font("Helvetica", "", 9)
    with page.table(width=_WIDTH, line_height=5.5, text_align="LEFT", borders_layout="HORIZONTAL_LINES") as table:
        for row in (section["head"], *section["rows"]):
            cells = table.row()
            for cell in row:
                cells.cell(_plain(cell))


def _plain(text: str) -> str:
    return str(text).translate(_SPELLED).encode("latin-1", "replace").decode("latin-1")
