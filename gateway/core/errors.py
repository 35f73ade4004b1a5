"""What can go wrong, as one tree. It knows no HTTP; `api/errors.py` maps classes to statuses.

    GatewayError
    ├── BadRequest              the request itself is at fault; `param` names the field
    │   ├── UnknownModel
    │   ├── ContextTooLong
    │   └── Unsupported         a valid parameter that the chosen backend cannot honour
    ├── Refused                 the policy or the door says no; retrying the same request is pointless
    │   ├── EgressDenied        `release` found no permit for what would leave
    │   ├── UnsupportedContent  nothing allowed can read it
    │   ├── LocalModelUnfit     it must stay and the local model cannot answer it well
    │   └── NotPermitted        the model named is not permitted for this request
    ├── Unavailable             a part is down; `retry_after_s` says when to come back
    │   ├── LocalUnavailable    the local engine is loading, dead or gone
    │   ├── PrivateUnavailable  no server of zone private could take it in the time that the policy's floor gives
    │   ├── AuditUnavailable    no record, so nothing leaves
    │   ├── QueueFull
    │   └── DeadlineExceeded    the local engine took longer over it than it may
    ├── BackendError            an upstream failed; `status` is its HTTP status where there was one
    │   ├── BackendUnreachable  no connection: nothing was sent
    │   ├── BackendTimeout
    │   ├── BackendRejected     4xx: it did not like the request
    │   └── BackendBroke        5xx, or it broke off
    └── ConfigurationError      settings, policy or model file; exit code 2 at the command line

Messages name the value, the rule and the way out. They never hold text of a request or an upstream's prose about it.
"""

from __future__ import annotations


class GatewayError(Exception):
    """Anything the gateway says no with. `str(error)` is fit for the client."""

    retry_after_s: float | None = None
    param: str | None = None
    code: str | None = None

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        if param is not None:
            self.param = param
        if code is not None:
            self.code = code


class BadRequest(GatewayError):
    pass


class UnknownModel(BadRequest):
    param = "model"
    code = "model_not_found"


class ContextTooLong(BadRequest):
    param = "messages"
    code = "context_length_exceeded"


class Unsupported(BadRequest):
    code = "unsupported_parameter"


class Refused(GatewayError):
    pass


class EgressDenied(Refused):
    code = "egress_denied"


class UnsupportedContent(Refused):
    code = "unsupported_content"
    param = "messages"


class LocalModelUnfit(Refused):
    code = "local_model_unfit"
    param = "messages"


class NotPermitted(Refused):
    code = "model_not_permitted"
    param = "model"


class Unavailable(GatewayError):
    retry_after_s = 5.0

    def __init__(self, message: str, *, retry_after_s: float | None = None, code: str | None = None) -> None:
        super().__init__(message, code=code)
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s


class LocalUnavailable(Unavailable):
    code = "local_unavailable"


class PrivateUnavailable(Unavailable):
    code = "private_unavailable"


class AuditUnavailable(Unavailable):
    code = "audit_unavailable"


class QueueFull(Unavailable):
    code = "queue_full"
    retry_after_s = 2.0


class DeadlineExceeded(Unavailable):
    """Before the first piece the next way inside the decision's scope may still be tried; after it this is the end."""

    code = "deadline_exceeded"


class BackendError(GatewayError):
    """An upstream's failure, told by class and status, never by its message."""

    code = "upstream_error"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message, param=param, code=code)
        self.status = status
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s

    @property
    def turned_away(self) -> bool:
        """It said that it is busy or starting: nothing of the request was answered, and it may be asked again."""
        return self.status in {429, 503} and self.code != "upstream_quota"


class BackendUnreachable(BackendError):
    code = "upstream_unreachable"

    @property
    def turned_away(self) -> bool:
        return True


class BackendTimeout(BackendError):
    code = "upstream_timeout"


class BackendRejected(BackendError):
    code = "upstream_rejected"


class BackendBroke(BackendError):
    code = "upstream_broke"


class ConfigurationError(GatewayError):
    pass
