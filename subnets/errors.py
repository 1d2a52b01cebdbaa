"""What can be refused in subnets. Codes are stable; docs/api.md lists them."""

from ledger.errors import DomainError


class HyperparameterOutOfBounds(DomainError):
    """A hyperparameter was to take a value outside its bounds."""

    code = "hyperparameter_out_of_bounds"
    http_status = 422
    message = (
        "{name} must lie between {low} and {high}{unit}; {value} does not. Choose a value within."
    )

    def __init__(self, **fields: object) -> None:
        unit = str(fields["unit"])
        words = f", in parts of {unit[1:]}" if unit.startswith("/") else f" {unit}"
        super().__init__(**fields | {"unit": "" if unit == "flag" else words})
        self.fields = fields  # as they are in the table of hyperparameters


class HyperparameterUnknown(DomainError):
    """There is no hyperparameter of this name."""

    code = "hyperparameter_unknown"
    http_status = 422
    message = "There is no hyperparameter {name!r}."


class HyperparameterNotYours(DomainError):
    """The owner tried to change what only the operator of the network may change."""

    code = "hyperparameter_not_yours"
    http_status = 403
    message = "{name} is set by the operator of the network, not by the owner of a subnet."


class HyperparametersContradict(DomainError):
    """Two hyperparameters, each within its bounds, do not fit together."""

    code = "hyperparameters_contradict"
    http_status = 422
    message = "{lower} ({low}) may not exceed {upper} ({high}). Change one of them."


class HyperparametersFrozen(DomainError):
    """The owner's change came in the last blocks before an epoch."""

    code = "hyperparameters_frozen"
    message = (
        "Parameters are frozen at block {block}: the epoch at block {epoch_block} is about to run. "
        "Try again after it."
    )


class HyperparameterChangedLately(DomainError):
    """The owner changed this hyperparameter a short while ago."""

    code = "hyperparameter_changed_lately"
    http_status = 429
    message = (
        "{name} may be changed again from block {changeable_from_block} on; now is block {block}. "
        "Between two changes lie {wait_blocks} blocks."
    )


class NeuronsAboveSlots(DomainError):
    """A subnet was to have fewer slots than it has neurons."""

    code = "neurons_above_slots"
    message = "{name} cannot be {value}: {neuron_count} neurons are registered on the subnet."


class EpochTriggerRefused(DomainError):
    """The owner cannot trigger an epoch now; reason is commit_reveal, pending or imminent."""

    code = "epoch_trigger_refused"
    message = "An epoch cannot be triggered now ({reason}). Wait for the next automatic epoch."


class NetworkNotFounded(DomainError):
    """No network row exists yet."""

    code = "network_not_founded"
    http_status = 503
    message = (
        "The network has no genesis yet. An operator starts it with `manage.py found_network`."
    )


class SubnetUnknown(DomainError):
    """No subnet holds that slot."""

    code = "subnet_unknown"
    http_status = 404
    message = "There is no subnet {netuid}."


class NotTheOwner(DomainError):
    """Only the owner of a subnet may do this."""

    code = "not_the_owner"
    http_status = 403
    message = "Subnet {netuid} is not yours."


class NoFreeSlot(DomainError):
    """All slots are taken."""

    code = "no_free_slot"
    message = "All {limit} slots are taken. Bid for a subnet that is for sale."


class NameTaken(DomainError):
    """Another subnet has the name, or one that reads alike."""

    code = "name_taken"
    message = "Another subnet is called {name!r}. Choose a name that the eye tells from it."


class TextRefused(DomainError):
    """A name, summary, description or reason holds what cannot be shown to people; `name` says which."""

    code = "text_refused"
    http_status = 422
    message = "The {name} cannot be taken: {problem}. Type it anew."


class LockCostAboveLimit(DomainError):
    """The price of a slot rose above what the buyer agreed to."""

    code = "lock_cost_above_limit"
    message = "A slot costs {cost_rao} rao now, above your limit of {max_cost_rao} rao."


class ChallengeUnknown(DomainError):
    """No such code was given out, or it was used by another key."""

    code = "challenge_unknown"
    http_status = 404
    message = "This code is not known or was used. Make a new one on the page Keys."


class ChallengeExpired(DomainError):
    """The code is too old."""

    code = "challenge_expired"
    http_status = 410
    message = "This code expired. Make a new one on the page Keys."


class TooManyChallenges(DomainError):
    """An owner keeps too many unused codes."""

    code = "too_many_challenges"
    http_status = 429
    message = "You have {limit} unused codes. Use one, or wait until they expire."


class HotkeyTaken(DomainError):
    """The hotkey answers to another owner."""

    code = "hotkey_taken"
    message = "The hotkey {hotkey} is linked to another account."


class RegistrationClosed(DomainError):
    """The operator of the network has closed registration on the subnet."""

    code = "registration_closed"
    http_status = 403
    message = "Subnet {netuid} takes no newcomers: its registration is closed."


class HotkeyNotLinked(DomainError):
    """The hotkey answers to nobody yet."""

    code = "hotkey_not_linked"
    http_status = 403
    message = "The hotkey {hotkey} is not linked to an account. Link it with a code first."


class NotRegistered(DomainError):
    """The hotkey holds no uid on the subnet."""

    code = "not_registered"
    http_status = 403
    message = "The hotkey {hotkey} is not registered on subnet {netuid}."


class BurnAboveLimit(DomainError):
    """The price of a uid rose above what the miner agreed to."""

    code = "burn_above_limit"
    message = (
        "A uid on this subnet costs {burn_rao} rao now, above your limit of {max_burn_rao} rao."
    )


class NoUidAvailable(DomainError):
    """The subnet is full and every neuron is immune."""

    code = "no_uid_available"
    message = "Subnet {netuid} is full and every neuron on it is immune. Try again later."


class RuleUnknown(DomainError):
    """No such version of the rule."""

    code = "rule_unknown"
    http_status = 404
    message = "Subnet {netuid} has no rule version {version}."


class RuleChanged(DomainError):
    """The version is another rule than the one its owner read."""

    code = "rule_changed"
    message = (
        "Version {version} of subnet {netuid} changed after you read it. Read it, then publish it."
    )


class RuleNotDraft(DomainError):
    """A published version never changes."""

    code = "rule_not_draft"
    message = "Version {version} is published already. Save a new draft instead."


class RuleNotPublished(DomainError):
    """A draft was never in force, so there is nothing to bring back."""

    code = "rule_not_published"
    message = "Version {version} was never published. Publish it instead of restoring it."


class EpochUnknown(DomainError):
    """No such epoch was closed."""

    code = "epoch_unknown"
    http_status = 404
    message = "Subnet {netuid} has not closed an epoch {number}."


class UidUnknown(DomainError):
    """Nobody held that uid when the epoch was closed."""

    code = "uid_unknown"
    http_status = 404
    message = "Nobody held the uid {uid} in epoch {number} of subnet {netuid}."


class NothingToReplay(DomainError):
    """A backtest needs an epoch that was closed."""

    code = "nothing_to_replay"
    message = "Subnet {netuid} has not closed an epoch yet, so there is nothing to replay."


class BacktestUnderWay(DomainError):
    """A subnet has one backtest at a time."""

    code = "backtest_under_way"
    message = "A backtest of subnet {netuid} is under way already. Wait for its answer."


class PageUnknown(DomainError):
    """The page before ended with no epoch that exists."""

    code = "page_unknown"
    http_status = 404
    message = "There is no epoch {before} to go on from. Follow `next`, or begin without `before`."


class RuleInvalid(DomainError):
    """The incentive rule document cannot be used.

    Fields: problems, a list of {"pointer": JSON pointer, "detail": sentence}, never empty.
    """

    code = "rule_invalid"
    http_status = 422
    message = "The incentive rule cannot be used. {problems[0][detail]}"


class RuleTooCostly(DomainError):
    """Evaluating the incentive rule hit a limit of time or memory and was stopped."""

    code = "rule_too_costly"
    http_status = 422
    message = "The incentive rule was stopped: {limit}. Make its expressions shorter."


class RuleEvaluatorUnavailable(DomainError):
    """The program that evaluates rules could not run; the rule is not to blame."""

    code = "rule_evaluator_unavailable"
    http_status = 503
    message = "Rules cannot be evaluated right now: {cause}. Try again in a minute."


class WeightsRefused(DomainError):
    """A row of weights is malformed; reason says how (unequal_length, duplicate_uid, unknown_uid, …)."""

    code = "weights_refused"
    http_status = 422
    message = "The weights cannot be set ({reason}). Send each known miner once, with a value of 0 to 65535."
