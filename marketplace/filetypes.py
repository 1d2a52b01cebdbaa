"""Which files a data room takes, told by what is in them and never by their name. Pure."""

import unicodedata

PDF, PNG, JPEG, TEXT = "application/pdf", "image/png", "image/jpeg", "text/plain"
# The first bytes of each kind (ISO 32000-2 7.5.2, PNG 5.2, JPEG: SOI and the first marker).
BEGINNINGS = ((b"%PDF-", PDF), (b"\x89PNG\r\n\x1a\n", PNG), (b"\xff\xd8\xff", JPEG))
ENDINGS = {PDF: ".pdf", PNG: ".png", JPEG: ".jpg", TEXT: ".txt"}
# What a text may hold besides letters and signs.
LAYOUT = "\n\r\t\f"


def content_type(content: bytes) -> str | None:
    r"""Tell the kind of a file; None for what is not taken: archives, programs, pages, and anything else.

    Example:
        >>> content_type(b"%PDF-1.7 ..."), content_type("Umsätze".encode()), content_type(b"PK\x03\x04")
        ('application/pdf', 'text/plain', None)
    """
    for beginning, kind in BEGINNINGS:
        if content.startswith(beginning):
            return kind
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if any(sign not in LAYOUT and unicodedata.category(sign) == "Cc" for sign in text):
        return None
    return TEXT


def file_name(name: str, kind: str) -> str:
    """Return the name under which a file is handed out: its own words, plain signs, and the ending of its kind.

    Example:
        >>> file_name("../../books 2026.exe", "application/pdf")
        'books-2026.pdf'
    """
    last = name.replace("\\", "/").rpartition("/")[2]
    stem = last.rpartition(".")[0] or last
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    words = "".join(sign if sign.isalnum() or sign in "-_" else " " for sign in plain).split()
    return "-".join(words)[:60] + ENDINGS[kind] if words else f"document{ENDINGS[kind]}"


def headers(name: str, kind: str) -> dict[str, str]:
    """Return the headers of a stranger's file: kept and not shown, taken for what it is, and run by no browser.

    Example:
        >>> headers("books", "application/pdf")["Content-Disposition"]
        'attachment; filename="books.pdf"'
    """
    return {
        "Content-Disposition": f'attachment; filename="{file_name(name, kind)}"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "private, no-store",
    }
