"""What the openai client raises, told as our own errors."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime
from json import JSONDecodeError

import httpx2
from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

from pagemind.errors import (
    ContextTooLong,
    ReasonerBusy,
    ReasonerCutOff,
    ReasonerError,
    ReasonerRefused,
    ReasonerTimeout,
    ReasonerUnreachable,
)
from pagemind.model.wire import error_text

EVIDENCE_CHARS = 500
FAILURES = (APIError, httpx2.HTTPError, JSONDecodeError, UnicodeError)
"""What a call through the client can raise besides our own errors."""

BEFORE_CONNECTED = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
)
BUSY = frozenset({408, 409, 425, 429})
TOO_LONG = re.compile(
    r"context[ _](?:length|window|size)|maximum context|context_length_exceeded|exceed\w*[^.]{0,40}context|prompt is too long"
    r"|too many (?:input )?tokens|max_model_len|maximum model length",
    re.IGNORECASE,
)
KEYS = re.compile(r"\b(?:sk|hf|gsk|key|pk|xai)[-_][\w.*-]{6,}|Bearer\s+\S+", re.IGNORECASE)


def as_reasoner_error(error: BaseException, url: str, silence_seconds: float, api_key: str = "") -> ReasonerError:
    """The error that says what happened to a call, with the exact upstream text as evidence, cut and without keys."""
    if isinstance(error, APIStatusError):
        return by_status(error, url, api_key)
    cause = error.__cause__ if isinstance(error, APIConnectionError) and error.__cause__ else error
    evidence = clean(f"{type(cause).__name__}: {cause}".rstrip(": "), api_key)
    if isinstance(cause, BEFORE_CONNECTED):
        return ReasonerUnreachable(evidence, url=url)
    if isinstance(cause, APITimeoutError | httpx2.TimeoutException):
        return ReasonerTimeout(evidence, url=url, seconds=f"{silence_seconds:g}")
    if isinstance(error, APIError) and not isinstance(error, APIConnectionError):
        # An error object in the middle of a stream that began with 200.
        text = clean(error_text(error.body) or error.message, api_key)
        return ContextTooLong(text) if TOO_LONG.search(text) else ReasonerCutOff(text, url=url)
    return ReasonerCutOff(evidence, url=url)


def by_status(error: APIStatusError, url: str, api_key: str) -> ReasonerError:
    """The error for an answer of 4xx or 5xx."""
    status = error.status_code
    evidence = clean(error_text(error.body if error.body is not None else error.message), api_key)
    if status in BUSY or status >= 500:
        busy = ReasonerBusy(evidence, url=url, status=status)
        busy.retry_after_seconds = retry_after(error.response.headers.get("retry-after"))
        return busy
    if status in (400, 413, 422) and TOO_LONG.search(evidence):
        return ContextTooLong(evidence)
    return ReasonerRefused(evidence, url=url, status=status)


def clean(text: str, api_key: str = "") -> str:
    """Evidence fit to be shown and stored: one line, cut, no API keys."""
    if api_key:
        text = text.replace(api_key, "***")
    return KEYS.sub("***", " ".join(text.split()))[:EVIDENCE_CHARS]


def retry_after(value: str | None) -> float | None:
    """Seconds to wait by a ``Retry-After`` header, which holds seconds or a date."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
