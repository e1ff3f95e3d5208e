"""Tools as they come: to be made, changed, run or searched for."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from pagemind.api.values import Metadata, Name, Tags, Words, cleaned
from pagemind.records import Json

SOURCE_LIMIT_CHARS = 200_000
RETURN_LIMIT_MOST = 1_000_000
Source = Annotated[str, Field(max_length=SOURCE_LIMIT_CHARS), AfterValidator(cleaned)]
KEPT = ("source_type", "args_json_schema", "pip_requirements", "npm_requirements", "default_requires_approval",
        "enable_parallel_execution")  # fmt: skip


class Requirement(BaseModel):
    """A package that the tool needs, kept and given back: nothing is installed."""

    name: Name
    version: Annotated[str, Field(max_length=200), AfterValidator(cleaned)] | None = None


Requirements = Annotated[list[Requirement], Field(max_length=100)]


class ToolBody(BaseModel):
    """What can be said of a tool both when it is made and later."""

    model_config = ConfigDict(populate_by_name=True)

    description: Words | None = None
    tags: Tags | None = None
    source_type: Annotated[str, Field(max_length=50), AfterValidator(cleaned)] | None = None
    json_schema: Metadata | None = None
    args_json_schema: Metadata | None = None
    return_char_limit: Annotated[int, Field(ge=1, le=RETURN_LIMIT_MOST)] | None = None
    pip_requirements: Requirements | None = None
    npm_requirements: Requirements | None = None
    default_requires_approval: bool | None = None
    enable_parallel_execution: bool | None = None
    metadata_: Metadata | None = Field(default=None, alias="metadata_")

    def kept(self) -> Json:
        """What was given of what the runtime does not read."""
        given = self.model_dump(mode="json", include=set(KEPT), exclude_none=True)
        return given if self.metadata_ is None else {**given, "metadata": self.metadata_}


class ToolCreate(ToolBody):
    """A tool to make, or to put in the place of the one of its name."""

    source_code: Source

    @model_validator(mode="after")
    def typescript_comes_with_its_schema(self) -> Self:
        """A schema is derived from Python alone."""
        if self.source_type == "typescript" and not self.json_schema:
            raise ValueError("TypeScript tools need a json_schema: none can be derived from their source")
        return self


class ToolUpdate(ToolBody):
    """What to change of a tool."""

    source_code: Source | None = None


class ToolRunFromSource(BaseModel):
    """A source to run once."""

    source_code: Source
    args: Metadata = Field(default_factory=dict[str, Any])
    env_vars: Annotated[dict[Name, Annotated[str, Field(max_length=100_000)]], Field(max_length=200)] | None = None
    name: Name | None = None
    source_type: Annotated[str, Field(max_length=50)] | None = None
    args_json_schema: Metadata | None = None
    json_schema: Metadata | None = None


class ToolArguments(BaseModel):
    """The arguments of a call without a model."""

    args: Metadata = Field(default_factory=dict[str, Any])


class ToolSearch(BaseModel):
    """Words to find tools by."""

    query: Words | None = None
    search_mode: Literal["vector", "fts", "hybrid"] = "hybrid"
    tool_types: Annotated[list[Name], Field(max_length=50)] | None = None
    tags: Tags | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50


class SourceCode(BaseModel):
    """A source to derive a schema from."""

    code: Source


class ApprovalWish(BaseModel):
    """Whether a person must approve each call."""

    requires_approval: bool | None = None
