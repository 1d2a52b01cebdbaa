"""Files for spreadsheets. A cell that a spreadsheet would compute is handed out as text."""

import csv
import io
from collections.abc import Iterable, Sequence

from django.http import HttpResponse

# What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection).
STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def cell(value: object) -> str:
    """Write a value so that no spreadsheet computes it.

    Example:
        >>> cell("=1+1"), cell(-5), cell("Subnet 3")
        ("'=1+1", '-5', 'Subnet 3')
    """
    text = str(value)
    is_risky = isinstance(value, str) and text.startswith(STARTS_A_FORMULA)
    return f"'{text}" if is_risky else text


def csv_file(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> HttpResponse:
    """Answer with a CSV file (RFC 4180), to be kept and not to be shown."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([cell(value) for value in row] for row in rows)
    answer = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    answer["Cache-Control"] = "private, no-store"
    return answer
