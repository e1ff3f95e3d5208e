"""Column types that the records share."""

from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

from sqlalchemy import DateTime
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TEXT
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm.attributes import manager_of_class
from sqlmodel import Field, SQLModel

Json = dict[str, Any]
Record = TypeVar("Record", bound=SQLModel)


def record_of(model: type[Record], values: Json) -> Record:
    """The record, validated, as if it had been loaded: what ``model_validate`` gives, some six times faster.

    For a table's model that sets attribute by attribute, each with the event that marks it as changed. A window has hundreds
    of messages and a run makes a handful of rows: none of them is stored by way of the mapping.
    """
    record: Record = manager_of_class(model).new_instance()
    state = vars(record)["_sa_instance_state"]
    model.__pydantic_validator__.validate_python(values, self_instance=record)
    vars(record)["_sa_instance_state"] = state
    return record


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


def tenant() -> Any:
    """The first half of every primary key: whose row this is."""
    return Field(primary_key=True)


def key() -> Any:
    """A random (version 4) id, the second half of a primary key."""
    return Field(default_factory=uuid4, primary_key=True)


def timestamp() -> Any:
    """When the row was made, with time zone."""
    return Field(default_factory=now, sa_type=DateTime(timezone=True))


def moment() -> Any:
    """A time with time zone that may not have come yet."""
    return Field(default=None, sa_type=DateTime(timezone=True))


def json_object() -> Any:
    """A JSON object, empty by default."""
    return Field(default_factory=dict, sa_type=JSONB)


def json_or_none() -> Any:
    """A JSON value that may be missing (SQL NULL, never JSON null)."""
    return Field(default=None, sa_type=JSONB(none_as_null=True))  # pyright: ignore[reportArgumentType, reportCallIssue]


def json_list() -> Any:
    """A JSON array of objects, empty by default."""
    return Field(default_factory=list, sa_type=JSONB)


def texts() -> Any:
    """A list of strings, empty by default."""
    return Field(default_factory=list, sa_type=ARRAY(TEXT))  # pyright: ignore[reportArgumentType, reportCallIssue]


def ids() -> Any:
    """A list of ids, empty by default."""
    return Field(default_factory=list, sa_type=ARRAY(PG_UUID(as_uuid=True)))  # pyright: ignore[reportArgumentType, reportCallIssue]


__all__ = [
    "UUID",
    "Field",
    "Json",
    "ids",
    "json_list",
    "json_object",
    "json_or_none",
    "key",
    "moment",
    "now",
    "record_of",
    "tenant",
    "texts",
    "timestamp",
]
