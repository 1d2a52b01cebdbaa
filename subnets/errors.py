"""What can be refused in subnets. Codes are stable; docs/api.md lists them."""

from ledger.errors import DomainError


class HyperparameterOutOfBounds(DomainError):
    """A hyperparameter was to take a value outside its bounds."""

    code = "hyperparameter_out_of_bounds"
    http_status = 422
    message = (
        "{name} must lie between {low} and {high} {unit}; {value} does not. Choose a value within."
    )


class HyperparametersFrozen(DomainError):
    """The owner's change came in the last blocks before an epoch."""

    code = "hyperparameters_frozen"
    message = (
        "Parameters are frozen at block {block}: the epoch at block {epoch_block} is about to run. "
        "Try again after it."
    )


class EpochTriggerRefused(DomainError):
    """The owner cannot trigger an epoch now; reason is commit_reveal, pending or imminent."""

    code = "epoch_trigger_refused"
    message = "An epoch cannot be triggered now ({reason}). Wait for the next automatic epoch."
