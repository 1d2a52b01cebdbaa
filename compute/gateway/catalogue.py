"""The models on offer, in memory: read anew every few seconds, so that a request asks no database."""

import asyncio
import logging

from asgiref.sync import sync_to_async
from django.db import DatabaseError, close_old_connections

from compute import queries
from compute.serving import ModelTerms

logger = logging.getLogger(__name__)

REFRESH_S = 5.0  # a new price holds for requests that begin this much later


class Catalogue:
    """What every process of the gateway knows of models."""

    def __init__(self) -> None:
        self.models: dict[str, ModelTerms] = {}

    def terms(self, name: str) -> ModelTerms | None:
        """Return the terms of a model on offer; None where there is none."""
        return self.models.get(name)

    async def refresh(self) -> None:
        """Read the models anew."""
        rows = await sync_to_async(_open_models, thread_sensitive=False)()
        self.models = {terms.name: terms for terms in rows}

    async def run(self) -> None:
        """Refresh for ever. A database that is away leaves the models as they were."""
        while True:
            await asyncio.sleep(REFRESH_S)
            try:
                await self.refresh()
            except DatabaseError as fault:
                logger.warning("catalogue:stale error=%s", fault)


def _open_models() -> list[ModelTerms]:
    close_old_connections()
    return queries.open_models()
