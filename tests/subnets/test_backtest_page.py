"""The answer of a backtest fits a phone: its tables of four columns are stacked there."""

from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

from django.conf import settings
from django.template.loader import render_to_string


def test_tables_with_a_change_are_stacked_on_a_phone():
    shown = {
        "backtest": SimpleNamespace(state="done", fault="", asked_at=datetime.min),  # noqa: DTZ901
        "answer": SimpleNamespace(first_epoch=1, last_epoch=2, emission_rao=2, moved_rao=1),
        "gain_count": 1,
        "loss_count": 1,
        "parts": [],
        "rows": [],
        "accounts": [],
    }

    page = render_to_string("owner/backtest_state.html", shown)

    tables = page.split('<div class="results')[1:]
    wide = [table for table in tables if ">change</th>" in table]
    assert len(wide) == 2
    assert all(table.startswith(' stacked">') for table in wide)
    phone = (Path(settings.BASE_DIR) / "static/css/admin.css").read_text().split("max-width: 640px")
    assert ".stacked tr { display: grid;" in phone[1]
