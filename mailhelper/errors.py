"""Every failure a person may meet: `code` picks the sentence, and nothing else reaches the screen.

Raised anywhere, caught in two places: the web application and the job runner.
"""

from typing import Any, ClassVar

from mailhelper import language


class Error(Exception):
    """A failure with a code.  `params` fill the sentence `error.<code>` of the catalogue and must hold no mail text.

    `permanent` failures are not tried again by the job runner.
    """

    status: ClassVar[int] = 500
    permanent: bool = True
    code = "internal"

    def __init__(self, code: str | None = None, **params: Any) -> None:
        self.code = code or self.code
        self.params = params
        super().__init__(self.code)     # not the params: they may name a host or a folder, and logs print exceptions

    def sentence(self, lang: str) -> str:
        """What went wrong, in the reader's language."""
        return sentence(lang, self.code, self.params)


class NotFound(Error):
    """There is no such thing, or it is somebody else's: the two must look alike."""
    status, code = 404, "not_found"


class Invalid(Error):
    """Bad input.  `fields` maps each wrong field to the code of its own sentence, or to (code, params)."""
    status, code = 400, "invalid"

    def __init__(self, code: str | None = None, fields: dict[str, Any] | None = None, **params: Any) -> None:
        super().__init__(code, **params)
        self.fields = fields or {}

    def field_sentences(self, lang: str) -> dict[str, str]:
        """{field: plain sentence} in the reader's language."""
        pairs = {name: value if isinstance(value, tuple) else (value, {}) for name, value in self.fields.items()}
        return {name: sentence(lang, code, params) for name, (code, params) in pairs.items()}


class Nobody(Error):
    """Not signed in."""
    status, code = 401, "sign_in"


class Locked(Error):
    """The data key is not open here: sealed fields cannot be read until the user signs in."""
    status, code = 401, "locked"


class Denied(Error):
    """Signed in, but without the role, token scope or CSRF token that this needs."""
    status, code = 403, "denied"


class Conflict(Error):
    """The thing is in a state that does not allow this now."""
    status, code = 409, "conflict"


class Limited(Error):
    """Above a rate limit; `retry_after` in seconds."""
    status, code = 429, "limited"

    def __init__(self, code: str | None = None, retry_after: int = 60, **params: Any) -> None:
        super().__init__(code, seconds=retry_after, **params)
        self.retry_after = retry_after


class TooLarge(Error):
    """More bytes than we take."""
    status, code = 413, "too_large"


class Cancelled(Error):
    """Somebody pressed Cancel, or another worker took the job over."""
    status, code = 409, "cancelled"


class Timeout(Error):
    """A job ran into its time limit."""
    status, code = 504, "timeout"
    permanent = False


class Unreachable(Error):
    """The other side cannot be reached now; worth another try."""
    status, code = 502, "unreachable"
    permanent = False


class Busy(Error):
    """The other side asks for patience; `retry_after` in seconds, 0 when it did not say."""
    status, code = 503, "busy"
    permanent = False

    def __init__(self, code: str | None = None, retry_after: int = 0, **params: Any) -> None:
        super().__init__(code, **params)
        self.retry_after = retry_after


class Unclear(Error):
    """It was asked for, and nobody knows whether it was done.  Permanent: doing it twice could be worse than not at all."""
    status, code = 502, "send_unclear"


class BadLogin(Error):
    """Name or password refused.  Permanent: trying again would lock the mailbox."""
    status, code = 502, "login_failed"


class BadCertificate(Error):
    """The server's certificate does not prove who it is."""
    status, code = 502, "certificate_invalid"


class Refused(Error):
    """The other side, or our own policy, said no for good."""
    status, code = 502, "refused"


def sentence(lang: str, code: str, params: dict[str, Any] | None = None) -> str:
    """The plain sentence of an error code; an unknown code reads as an internal error."""
    try:
        return language.t(lang, f"error.{code}", **(params or {}))
    except KeyError:
        return language.t(lang, "error.internal")
