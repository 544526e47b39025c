"""Work that is done later, by a Celery worker: tasks are named by path, so that services never import them.

A task that is lost is no harm: what is due is found again from the chain's state (CELERY_BEAT_SCHEDULE)."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def enqueue(task: str, *arguments: Any) -> None:
    """Run `task` after this transaction has been committed."""
    transaction.on_commit(partial(_send, task, arguments))


def _send(task: str, arguments: tuple[Any, ...]) -> None:
    from celery import current_app

    try:
        current_app.send_task(task, args=arguments, retry=False)
    except OperationalError:
        log.warning("the broker does not answer: %s%s will be found again by its schedule", task, arguments)
