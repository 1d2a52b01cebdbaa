"""Every write to compute. Each verb locks, looks for a replay, decides, writes, calls down, moves money last."""

from compute.operations.dispatch import dispatch_queued
from compute.operations.epochs import close_epoch
from compute.operations.jobs import plant_known_answers, submit_job, submit_jobs
from compute.operations.leases import (
    end_asked_lease,
    expire_lease,
    take_asked_leases,
    take_lease,
    take_leases,
)
from compute.operations.machines import note_tunnels, report_machine, see_machine
from compute.operations.models import serve_model
from compute.operations.repeats import record_repeat
from compute.operations.reports import forget_chats, hand_over_chat, miss_chats, report_answer
from compute.operations.results import Answered, return_answer, submit_result, submit_results
from compute.operations.scores import submit_scores
from compute.operations.settlement import (
    SETTLED_AT_ONCE,
    WAITS_AT_MOST,
    cancel_job,
    give_up_waiting,
    settle_job,
    settle_jobs,
)
from compute.operations.tabs import open_tab, record_usages, settle_tab

__all__ = [
    "SETTLED_AT_ONCE",
    "WAITS_AT_MOST",
    "Answered",
    "cancel_job",
    "close_epoch",
    "dispatch_queued",
    "end_asked_lease",
    "expire_lease",
    "forget_chats",
    "give_up_waiting",
    "hand_over_chat",
    "miss_chats",
    "note_tunnels",
    "open_tab",
    "plant_known_answers",
    "record_repeat",
    "record_usages",
    "report_answer",
    "report_machine",
    "return_answer",
    "see_machine",
    "serve_model",
    "settle_job",
    "settle_jobs",
    "settle_tab",
    "submit_job",
    "submit_jobs",
    "submit_result",
    "submit_results",
    "submit_scores",
    "take_asked_leases",
    "take_lease",
    "take_leases",
]
