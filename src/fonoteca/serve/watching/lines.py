"""How lines of the log look: text for a person, JSON for a program, one line each."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from fonoteca.serve.watching.watch import request_id

FORMATS = ("text", "json")


class Lines(logging.Formatter):
    """Makes a line of a record."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._json = form == "json"

    def format(self, record: logging.LogRecord) -> str:
        """Return the line. What a stranger sent can end no line and begin no other."""
        facts: dict[str, Any] = getattr(record, "facts", {})
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **({} if facts else {"request": request_id.get()}),
            **facts,
        }
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        if self._json:
            return json.dumps({name: value for name, value in told.items() if value != ""}, ensure_ascii=True)
        return _text(told, is_request=bool(facts))


def _text(told: dict[str, Any], *, is_request: bool) -> str:
    head = f"{told['time']} {told['level']}"
    if is_request:
        who = "-" if told["account"] is None else told["account"]
        rest = f"{told['method']} {told['path']} {told['status']} {told['bytes']} B {told['ms']} ms account={who}"
        said = f"{head} {rest} request={told['request']}{'' if told['whole'] else ' left'}"
    else:
        named = f" request={told['request']}" if told["request"] else ""
        said = f"{head} {told['message']}{named}"
    trace = [f"  {_shown(line)}" for line in told.get("trace", "").splitlines()]
    return "\n".join((_shown(said), *trace))


def _shown(text: str) -> str:
    """Return a text that is one line whatever strangers put into it; a line of a trace never begins as a line of ours does."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def logging_of(form: str) -> dict[str, Any]:
    """Return the set-up of logging: "" tells only of what goes wrong, as text; else also a line a request. All on stderr."""
    level = "INFO" if form else "WARNING"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": "fonoteca.serve.watching.lines.Lines", "form": form or "text"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines", "stream": "ext://sys.stderr"}},
        "loggers": {
            name: {"handlers": ["stderr"], "level": level, "propagate": False} for name in ("fonoteca", "uvicorn", "uvicorn.error")
        },
    }
