"""What all workers have in common, wherever they run: finding a task, and carrying what it answers back to the caller."""

from __future__ import annotations

import importlib
import pickle
import traceback
from collections.abc import Callable
from typing import Any

from fonoteca.model.errors import FonotecaError, StoreError, UsageError

IN_FLIGHT_PER_WORKER = 4
"""Answers kept waiting for an earlier item, a worker: bounds memory when one item is slow and the rest are quick."""

_ITEM_NAME_CHARS_MAX = 200

MORE_MEMORY = "Give the machine more memory, or set fewer `workers`; then run the same command again."

Task = Callable[[Any, Any], Any]


def find_task(name: str) -> Task:
    """Return the function that `package.module:function` names.

    Raises: UsageError when there is no such module or function.
    """
    module_name, _, function_name = name.partition(":")
    try:
        task = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(name, f"no such task: {error}", "Name it as `package.module:function`.") from error
    if not callable(task):
        raise UsageError(name, "not a function", "Name it as `package.module:function`.")
    return task  # type: ignore[no-any-return]


def call_task(function: Task, settings: Any, item: Any) -> Any:
    """Return the task's answer. Raises: what it raises; StoreError naming the item when memory runs short."""
    try:
        return function(settings, item)
    except MemoryError as error:
        name = f"{function.__module__}:{function.__qualname__}"
        raise StoreError(name_item(item), f"memory ran short while {name} worked on it", MORE_MEMORY) from error


def name_item(item: Any) -> str:
    """Return an item in as many characters as a message has room for."""
    text = str(item)
    return text if len(text) <= _ITEM_NAME_CHARS_MAX else text[:_ITEM_NAME_CHARS_MAX] + "..."


def packed_error(error: BaseException) -> bytes:
    """Return the pickled pair (False, error) as the caller will raise it: itself where it survives the journey, else as text."""
    text = "".join(traceback.format_exception(error))
    if not isinstance(error, FonotecaError):
        error.add_note(f"In a worker process:\n{text}")
    try:
        answer = pickle.dumps((False, error))
        pickle.loads(answer)
    except Exception:  # noqa: BLE001 - an error whose own pickling fails in any way still has to be told
        return pickle.dumps((False, RuntimeError(text)))
    return answer
