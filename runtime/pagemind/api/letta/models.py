"""``/v1/models/`` and ``/v1/providers``: the reasoner and the embedder that the server was started with."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query

from pagemind.api.here import Caller, Here
from pagemind.api.ids import built_in_id, wire_id
from pagemind.api.letta.model_json import PROVIDER, listed_embedder, listed_model
from pagemind.api.letta.names import organization_id
from pagemind.api.letta.passage_json import embedding_config
from pagemind.api.problems import Problem, not_found
from pagemind.model.reasoner import models_of
from pagemind.records import Json

router = APIRouter(tags=["models"])

Word = Annotated[str, Query(max_length=500)]
Words = Annotated[list[Word] | None, Query(max_length=100)]


@router.get("/v1/models/")
async def list_models(
    here: Caller,
    provider_category: Words = None,
    provider_name: Word | None = None,
    provider_type: Word | None = None,
) -> list[dict[str, Any]]:
    """The models that agents can be made with. Any other handle is taken too, and means the reasoner that there is."""
    await here.runtime.reasoner.settle("")
    kernel = here.runtime.kernel
    listed = [listed_model(kernel, name) for name in models_of(kernel.reasoner)]
    return [model for model in listed if fits(model, provider_category, provider_name, provider_type)]


def fits(model: Json, categories: list[str] | None, name: str | None, kind: str | None) -> bool:
    """Whether a model is of a provider of these."""
    wanted = (categories or None, name and [name], kind and [kind])
    has = (model["provider_category"], model["provider_name"], model["provider_type"])
    return all(not some or each in some for some, each in zip(wanted, has, strict=True))


@router.get("/v1/models/embedding")
async def list_embedders(here: Caller) -> list[dict[str, Any]]:
    """The model that makes the vectors of all passages and messages."""
    return [listed_embedder(embedding_config(here.runtime.kernel))]


@router.get("/v1/providers")
async def list_providers(
    here: Caller,
    name: Word | None = None,
    provider_type: Word | None = None,
    after: Word | None = None,
    before: Word | None = None,
) -> list[dict[str, Any]]:
    """The one provider: whoever serves the reasoner."""
    provider = provider_json(here)
    named = name in (None, PROVIDER) and provider_type in (None, provider["provider_type"])
    return [provider] if named and not after and not before else []


@router.post("/v1/providers/check")
async def check_provider(here: Caller) -> dict[str, str]:
    """Whether the reasoner answers; keys and addresses that come with the request are not tried."""
    return await checked(here)


@router.get("/v1/providers/{provider_id}")
async def retrieve_provider(here: Caller, provider_id: str) -> dict[str, Any]:
    """The one provider."""
    return known_provider(here, provider_id)


@router.post("/v1/providers/{provider_id}/check")
async def check_known_provider(here: Caller, provider_id: str) -> dict[str, str]:
    """Whether the reasoner answers."""
    known_provider(here, provider_id)
    return await checked(here)


@router.patch("/v1/providers/{provider_id}/refresh")
async def refresh_provider(here: Caller, provider_id: str) -> dict[str, Any]:
    """Ask the reasoner what it is, where that is not known."""
    provider = known_provider(here, provider_id)
    await here.runtime.reasoner.settle("")
    return provider


@router.post("/v1/providers", include_in_schema=False)
async def create_provider(here: Caller) -> None:
    """Refused: a provider is a setting of the server."""
    raise fixed()


@router.patch("/v1/providers/{provider_id}", include_in_schema=False)
async def update_provider(here: Caller, provider_id: str) -> None:
    """Refused: a provider is a setting of the server."""
    raise fixed()


@router.delete("/v1/providers/{provider_id}", include_in_schema=False)
async def delete_provider(here: Caller, provider_id: str) -> None:
    """Refused: a provider is a setting of the server."""
    raise fixed()


def fixed() -> Problem:
    """501."""
    detail = (
        "Providers cannot be made or changed over the API. Set PAGEMIND_REASONER_URL, PAGEMIND_REASONER_MODEL and "
        "PAGEMIND_REASONER_API_KEY for the server, or give an agent's file a `model` section of its own."
    )
    return Problem(HTTPStatus.NOT_IMPLEMENTED, detail, headers={"x-should-retry": "false"})


async def checked(here: Here) -> dict[str, str]:
    """503 where the reasoner is out of reach."""
    if not await here.runtime.reasoner.settle(""):
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"The reasoner, {here.runtime.reasoner.name}, does not answer.")
    return {"message": "The reasoner answers."}


def known_provider(here: Here, provider_id: str) -> Json:
    """The provider of that id; 404."""
    provider = provider_json(here)
    if provider_id != provider["id"]:
        raise not_found("provider", provider_id[:100])
    return provider


def provider_json(here: Here) -> Json:
    """The reasoner's provider; keys are never shown."""
    return {
        "id": wire_id("provider", built_in_id("provider", PROVIDER)),
        "name": PROVIDER,
        "provider_type": "openai",
        "provider_category": "base",
        "api_key": None,
        "base_url": here.runtime.reasoner.url or None,
        "access_key": None,
        "region": None,
        "api_version": None,
        "organization_id": organization_id(here.tenant_id),
        "updated_at": None,
        "last_synced": None,
        "api_key_enc": None,
        "access_key_enc": None,
    }
