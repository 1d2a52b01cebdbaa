"""The work and its proof.

Machine  a computer that a hotkey reported: its processors, its GPUs, the blueprints it can run
EnergyDay  what a machine says it used on one day
TrackRecord  what a machine did lately in one blueprint
Job      one piece of work on one subnet, from submission to settlement
Lease    one offer of a job to one machine, with a deadline
Result   what came back on a lease, signed by the miner: a fact
Comparison  what the answers of a job and its replicas say of one of them: a fact
Score    what one validator says of one result, signed: a fact
ScoreCommitment  the head of a validator's chain of scores after one request: public while they are sealed
ServedModel  a model that a subnet answers with, and what it costs now; PriceChange what it cost when: a fact
Tab      money set aside in advance for one API key, from which a gateway pays requests
Usage    one request and what it came to: a fact
Repeat   one answer to a chat that several miners were asked, and whether most said the same: a fact
AnswerReport  what a consumer says of a bad answer: a fact; ReportedChat its conversation, for as long as it is kept
"""

from compute.models.jobs import Job, Lease
from compute.models.machines import EnergyDay, Machine, TrackRecord
from compute.models.reports import AnswerReport, ReportedChat
from compute.models.results import Comparison, Result, Score, ScoreCommitment
from compute.models.serving import PriceChange, Repeat, ServedModel, Tab, Usage

__all__ = [
    "AnswerReport",
    "Comparison",
    "EnergyDay",
    "Job",
    "Lease",
    "Machine",
    "PriceChange",
    "Repeat",
    "ReportedChat",
    "Result",
    "Score",
    "ScoreCommitment",
    "ServedModel",
    "Tab",
    "TrackRecord",
    "Usage",
]
