"""Files for spreadsheets. A cell that a spreadsheet would compute is handed out as text."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render

from ledger.rest.limits import Throttle

# The heads of a table's columns, and its rows.
Table = tuple[Sequence[str], Iterable[Sequence[object]]]
# What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection).
STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class ExportThrottle(Throttle):
    """One person's files: each reads all there is of its kind, and a person opens one at a time."""

    bucket = "export"
    usual_rate = "20/min"


def paced(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Answer who asks for more files than ExportThrottle allows with how long to wait."""

    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        wait_s = ExportThrottle().wait_s(request)
        if not wait_s:
            return view(request, *args, **kwargs)
        page = {"sentence": f"You asked for many files just now. Try again in {wait_s} s."}
        refusal = render(request, "refusal.html", page, status=429)
        refusal["Retry-After"] = str(wait_s)
        return refusal

    return answer


def cell(value: object) -> str:
    """Write a value so that no spreadsheet computes it.

    Example:
        >>> cell("=1+1"), cell(-5), cell("Subnet 3")
        ("'=1+1", '-5', 'Subnet 3')
        >>> cell(None), cell(True)
        ('', 'true')
    """
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
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


def streamed(name: str, kind: str, pieces: Iterable[str]) -> StreamingHttpResponse:
    """Answer with a file that is written while it is read, however long; to be kept and not to be shown."""
    answer = StreamingHttpResponse(pieces, content_type=f"{kind}; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["Cache-Control"] = "private, no-store"
    return answer


def csv_pieces(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield a CSV file (RFC 4180) row by row."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    for row in rows:
        writer.writerow([cell(value) for value in row])
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()
