"""What can be refused in compute. Codes are stable; docs/api.md lists them."""

from ledger.errors import DomainError


class JobUnknown(DomainError):
    """No such job, or not one of the caller's."""

    code = "job_unknown"
    http_status = 404
    message = "There is no job {job_id} of yours."


class PriceAboveLimit(DomainError):
    """A job or a subnet costs more than its buyer agreed to pay."""

    code = "price_above_limit"
    message = (
        "The price is {price_rao} rao, above your limit of {max_price_rao} rao. Nothing was bought."
    )


class QueueFull(DomainError):
    """The subnet has as many waiting jobs as it keeps: its limit, not the caller's."""

    code = "queue_full"
    http_status = 429
    message = (
        "Subnet {netuid} has {limit_count} jobs waiting already: the {limit}'s limit, not yours."
        " Try again in {retry_after_s} s."
    )


class OwnQueueFull(DomainError):
    """The caller has as many jobs waiting on the subnet as one may."""

    code = "own_queue_full"
    http_status = 429
    message = (
        "You have {limit_count} jobs waiting on subnet {netuid}; the limit is for {limit} alone."
        " Try again in {retry_after_s} s, or cancel some."
    )


class JobNotCancellable(DomainError):
    """The job came back or ended; it cannot be cancelled any more."""

    code = "job_not_cancellable"
    message = "The job is {state}; only what waits or is worked on can be cancelled."


class LeaseWithdrawn(DomainError):
    """The consumer cancelled the job; its result is not needed, and its miner not to blame."""

    code = "lease_withdrawn"
    http_status = 410
    message = (
        "The job was cancelled at {ended_at:%Y-%m-%d %H:%M:%S} UTC. It does not count against you."
    )


class MachineUnknown(DomainError):
    """No such machine, or another hotkey's."""

    code = "machine_unknown"
    http_status = 404
    message = "There is no machine {machine_id} of this hotkey. Report it first."


class TooManyMachines(DomainError):
    """A hotkey reports more machines than it may."""

    code = "too_many_machines"
    http_status = 429
    message = "A hotkey may report {limit} machines. Use another hotkey for more."


class LeaseUnknown(DomainError):
    """No such lease."""

    code = "lease_unknown"
    http_status = 404
    message = "There is no lease {lease_id}."


class LeaseNotYours(DomainError):
    """The lease was given to another hotkey."""

    code = "lease_not_yours"
    http_status = 403
    message = "The lease {lease_id} was given to another hotkey."


class LeaseExpired(DomainError):
    """The result came after the deadline; the job went to another machine."""

    code = "lease_expired"
    http_status = 410
    message = (
        "The lease ended at {deadline_at:%Y-%m-%d %H:%M:%S} UTC; the job went to another machine."
    )


class ResultDiffers(DomainError):
    """Another result was returned on this lease before."""

    code = "result_differs"
    http_status = 422
    message = "Another result was returned on the lease {lease_id} before; the first one stands."


class DigestMismatch(DomainError):
    """The digest is not that of the output."""

    code = "digest_mismatch"
    http_status = 422
    message = "The output's SHA-256 is {digest}, not what was signed."


class ResultSignatureInvalid(DomainError):
    """The result is not signed by the hotkey of its lease."""

    code = "result_signature_invalid"
    http_status = 422
    message = "The signature is not the hotkey's over this lease, job and digest."


class NotAValidator(DomainError):
    """The hotkey has no uid on the subnet, or less stake there than counts."""

    code = "not_a_validator"
    http_status = 403
    message = "Register the hotkey {hotkey} on subnet {netuid} and stake at least {least_rao} rao on it first."


class BlueprintUnknown(DomainError):
    """No blueprint has this kind."""

    code = "blueprint_unknown"
    http_status = 404
    message = "There is no blueprint {kind!r}."


class PayloadInvalid(DomainError):
    """The payload of a job does not have the form its blueprint asks for."""

    code = "payload_invalid"
    http_status = 422
    message = "The payload cannot be worked on: {problem}"


class OrderRefused(DomainError):
    """One of several orders of a request cannot be taken, so none is. place: which, from 0; because: its own code."""

    code = "order_refused"
    http_status = 422
    message = "Nothing was ordered. Job {place} of the request is refused ({because}): {problem}"


class OutputInvalid(DomainError):
    """The output of a result does not have the form its blueprint asks for."""

    code = "output_invalid"
    http_status = 422
    message = "The output has the wrong form: {problem}"


class ModelUnknown(DomainError):
    """No subnet serves a model of this name."""

    code = "model_unknown"
    http_status = 404
    message = "There is no model {model!r}. The page of prices lists those that are served."


class ModelNameTaken(DomainError):
    """Another subnet serves a model of this name."""

    code = "model_name_taken"
    message = "Subnet {netuid} serves {model!r} already. Choose another name."


class ModelTermsInvalid(DomainError):
    """The terms of a model do not fit each other, or a bound."""

    code = "model_terms_invalid"
    http_status = 422
    message = "The model cannot be served so: {problem}"


class TooManyModels(DomainError):
    """A subnet lists more models than it may."""

    code = "too_many_models"
    http_status = 429
    message = "A subnet may list {limit} models. Change one that you no longer serve."


class SpendingLimitReached(DomainError):
    """The API key may not spend as much more in this calendar month."""

    code = "spending_limit_reached"
    http_status = 402
    message = (
        "This API key may spend {limit_rao} rao a month, and {spent_rao} rao are spent or set aside. "
        "The next month begins at {resets_at:%Y-%m-%d %H:%M} UTC; its owner can raise the limit before."
    )


class TabUnknown(DomainError):
    """No tab has this id."""

    code = "tab_unknown"
    http_status = 404
    message = "There is no tab {tab_id}."


class UsageBacklog(DomainError):
    """So many finished requests wait to be written into the books that no more are begun."""

    code = "usage_backlog"
    http_status = 503
    message = "The books are out of reach, and {limit} requests wait for them. Nothing was charged. Try again in a minute."


class UsageUnknown(DomainError):
    """No such request, or not one of the caller's."""

    code = "usage_unknown"
    http_status = 404
    message = "There is no request {usage_id} of yours. It may take a second until one is listed."


class AnswerReported(DomainError):
    """The answer was reported before, with other words."""

    code = "answer_reported"
    message = "You reported this answer before; the first report stands."


class TooManyReports(DomainError):
    """The account reported as many answers as it may in a day, of all miners or of this one."""

    code = "too_many_reports"
    http_status = 429
    message = (
        "You reported {limit_count} answers of {limit} in 24 hours, as many as you may."
        " Try again in {retry_after_s} s."
    )


class ReportUnknown(DomainError):
    """The answer was not reported by the caller."""

    code = "report_unknown"
    http_status = 404
    message = "You did not report the answer to request {usage_id}."


class RequestMalformed(DomainError):
    """A request to the gateway cannot be read."""

    code = "request_malformed"
    http_status = 400
    message = "The request cannot be read: {problem}."


class FieldInvalid(DomainError):
    """A member of a request to the gateway has no value it may have."""

    code = "field_invalid"
    http_status = 400
    message = "{field}: {problem}."


class RequestTooLarge(DomainError):
    """The body is larger than the gateway takes."""

    code = "request_too_large"
    http_status = 413
    message = "The request has more than {limit} bytes. Send less text."


class PathUnknown(DomainError):
    """The gateway serves no such path."""

    code = "path_unknown"
    http_status = 404
    message = "There is nothing at {path}. The gateway serves /v1/models, /v1/chat/completions, /v1/completions and /v1/embeddings."


class MethodRefused(DomainError):
    """The path is called by another method."""

    code = "method_refused"
    http_status = 405
    message = "Call {path} by {allowed}."


class ModelNotFound(DomainError):
    """No subnet serves a model of this name."""

    code = "model_not_found"
    http_status = 404
    message = "There is no model {model!r}. GET /v1/models lists those there are."


class ModelKindWrong(DomainError):
    """The model does other work than the path asks for."""

    code = "model_kind_wrong"
    http_status = 400
    message = "{model} is a model for {kind}; {path} needs another."


class NoMiner(DomainError):
    """Nobody serves the model at the moment."""

    code = "no_miner"
    http_status = 503
    message = "No miner serves {model} at the moment. Try again in {retry_after_s} s, or choose another model."


class ModelBusy(DomainError):
    """Every miner of the model is at work, and enough requests wait for them."""

    code = "model_busy"
    http_status = 429
    message = (
        "All miners of {model} are busy; this is not your limit. Try again in {retry_after_s} s."
    )


class KeyBusy(DomainError):
    """The API key has as many requests under way as it may."""

    code = "key_busy"
    http_status = 429
    message = (
        "Your API key has {limit} requests under way, its limit. Try again when one has ended."
    )


class TooManyWrongKeys(DomainError):
    """The address sent too many keys that do not work."""

    code = "too_many_wrong_keys"
    http_status = 429
    message = "Too many wrong API keys came from your address. Try again in {retry_after_s} s."


class MinersFailed(DomainError):
    """Several miners were tried before the first token, and none answered."""

    code = "miners_failed"
    http_status = 502
    message = "{attempts} miners were tried and none answered. Nothing was charged. Try again."


class AnswerBrokeOff(DomainError):
    """The miner stopped in the middle of an answer; what was sent is incomplete."""

    code = "answer_broke_off"
    http_status = 502
    message = "The miner stopped in the middle of the answer. Nothing was charged. Ask again."


class UpstreamRefused(DomainError):
    """The model's server says that the request is wrong."""

    code = "upstream_refused"
    http_status = 400
    message = "The model's server refused the request: {problem}"


class GatewayStopping(DomainError):
    """The gateway is about to stop and takes no new requests."""

    code = "gateway_stopping"
    http_status = 503
    message = "The gateway is restarting. Try again in a few seconds."


class GatewayTrouble(DomainError):
    """Something in the gateway went wrong."""

    code = "gateway_trouble"
    http_status = 500
    message = (
        "Something went wrong here. Nothing was charged. Quote {request_id} when you report it."
    )
