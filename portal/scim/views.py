"""The addresses of SCIM: users, groups, and what the service says of itself."""

from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from scim2_models import (
    Context,
    InvalidFilterException,
    ListResponse,
    NotFoundException,
    NotImplementedException,
    PatchOp,
    Resource,
    ResponseParameters,
    SearchRequest,
)

from portal.scim import groups, people
from portal.scim.filters import Columns, query_of, same_id
from portal.scim.protocol import answer, body_of
from portal.scim.resources import CONFIG, MAX_RESULTS, POLICY, PROVIDER, Group, User

MAX_FILTER = 1000
MAX_START = 1 << 31  # beyond it no database counts


def list_users(request: HttpRequest) -> HttpResponse:
    search = _search(request, User)
    found = people.rows().filter(_query(search, people.COLUMNS)).order_by("pk")
    return _page(found, search, User, people.shown)


def create_user(request: HttpRequest) -> HttpResponse:
    resource = _sent(request, User, Context.RESOURCE_CREATION_REQUEST)
    row = people.create(resource)
    return _created(request, people.shown(_find(people.rows(), str(row.pk))), User)


def get_user(request: HttpRequest, pk: str) -> HttpResponse:
    return _one(request, people.shown(_find(people.rows(), pk)), User)


def replace_user(request: HttpRequest, pk: str) -> HttpResponse:
    row = _held(people.rows(), pk)
    resource = _sent(request, User, Context.RESOURCE_REPLACEMENT_REQUEST)
    resource.replace(people.stored(row))
    people.change(row, resource)
    return get_user(request, pk)


def patch_user(request: HttpRequest, pk: str) -> HttpResponse:
    row = _held(people.rows(), pk)
    resource = people.stored(row)
    _patch(body_of(request), User).patch(resource, scim_policy=POLICY)
    people.change(row, resource)
    return get_user(request, pk)


def delete_user(request: HttpRequest, pk: str) -> HttpResponse:
    people.delete(_held(people.rows(), pk))
    return answer(None, 204)


def list_groups(request: HttpRequest) -> HttpResponse:
    search = _search(request, Group)
    found = groups.rows().filter(_query(search, groups.COLUMNS)).order_by("pk").distinct()
    members = _wants_members(search)
    return _page(found, search, Group, lambda row: groups.shown(row, members))


def create_group(request: HttpRequest) -> HttpResponse:
    resource = _sent(request, Group, Context.RESOURCE_CREATION_REQUEST)
    return _created(request, groups.shown(groups.create(resource)), Group)


def get_group(request: HttpRequest, pk: str) -> HttpResponse:
    members = _wants_members(_parameters(request, Group))
    return _one(request, groups.shown(_find(groups.rows(), pk), members), Group)


def replace_group(request: HttpRequest, pk: str) -> HttpResponse:
    row = _held(groups.rows(), pk)
    resource = _sent(request, Group, Context.RESOURCE_REPLACEMENT_REQUEST)
    before = groups.shown(row)
    resource.replace(before)
    groups.change(row, resource, before=before)
    return get_group(request, pk)


def patch_group(request: HttpRequest, pk: str) -> HttpResponse:
    """Answers without a body: a large group's would be written anew for each person who joins."""
    row = _held(groups.rows(), pk)
    patch = _patch(body_of(request), Group)
    needed = groups.members_needed([op.model_dump() for op in patch.operations or []])
    before, resource = groups.shown(row, needed), groups.shown(row, needed)
    patch.patch(resource, scim_policy=POLICY)
    groups.change(row, resource, before=before)
    return answer(None, 204)


def delete_group(request: HttpRequest, pk: str) -> HttpResponse:
    groups.delete(_held(groups.rows(), pk))
    return answer(None, 204)


def service_provider_config(request: HttpRequest) -> HttpResponse:
    return _one(request, CONFIG, type(CONFIG))


def resource_types(request: HttpRequest, name: str = "") -> HttpResponse:
    return _described(request, list(PROVIDER.resource_types), name)


def schemas(request: HttpRequest, name: str = "") -> HttpResponse:
    return _described(request, list(PROVIDER.schemas), name)


def not_offered(request: HttpRequest) -> HttpResponse:
    raise NotImplementedException(detail="Bulk calls and POST searches are not offered.")


def unknown(request: HttpRequest) -> HttpResponse:
    raise NotFoundException(detail="There is nothing at this address.")


def _described(request: HttpRequest, items: list[Any], name: str) -> HttpResponse:
    if name:
        found = [item for item in items if item.id == name]
        if not found:
            raise NotFoundException(detail=f"There is no {name}.")
        return _one(request, found[0], type(found[0]))
    listed = [item.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE) for item in items]
    return answer(_listing(listed, len(listed), 1))


def _search(request: HttpRequest, kind: Any) -> Any:
    if len(request.GET.get("filter", "")) > MAX_FILTER:
        raise InvalidFilterException(detail=f"A filter has at most {MAX_FILTER} characters here.")
    return SearchRequest[kind].model_validate(
        request.GET.dict(), scim_ctx=Context.SEARCH_REQUEST, scim_policy=POLICY
    )


def _parameters(request: HttpRequest, kind: Any) -> Any:
    return ResponseParameters[kind].model_validate(request.GET.dict(), scim_policy=POLICY)


def _query(search: Any, columns: Columns) -> Q:
    return query_of(search.filter.ast, columns) if search.filter else Q()


def _wants_members(asked: Any) -> bool:
    if asked.attributes:
        return any(str(path).lower().startswith("members") for path in asked.attributes)
    return not any(str(path).lower() == "members" for path in asked.excluded_attributes or ())


def _page(found: Any, search: Any, kind: Any, shown: Any) -> HttpResponse:
    start = min(search.start_index_0 or 0, MAX_START)
    count = MAX_RESULTS if search.count is None else min(search.count, MAX_RESULTS)
    listed = [
        shown(row).model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=search)
        for row in found[start : start + count]
    ]
    return answer(_listing(listed, found.count(), start + 1))


def _listing(listed: list[dict[str, Any]], total: int, start: int) -> dict[str, Any]:
    return {
        "schemas": [str(ListResponse.__schema__)],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": len(listed),
        "Resources": listed,
    }


def _find(rows: Any, pk: str) -> Any:
    row = rows.filter(same_id(pk)).first()
    if row is None:
        raise NotFoundException(detail=f"There is none with the id {pk}.")
    return row


def _held(rows: Any, pk: str) -> Any:
    """The row, kept from parallel calls until this one has ended."""
    return _find(rows.select_for_update(of=("self",)), pk)


def _sent(request: HttpRequest, kind: Any, context: Context) -> Any:
    return kind.model_validate(body_of(request), scim_ctx=context, scim_policy=POLICY)


def _patch(body: dict[str, Any], kind: Any) -> Any:
    return PatchOp[kind].model_validate(
        body, scim_ctx=Context.RESOURCE_PATCH_REQUEST, scim_policy=POLICY
    )


def _one(request: HttpRequest, resource: Resource[Any], kind: Any) -> HttpResponse:
    return answer(
        resource.model_dump(
            scim_ctx=Context.RESOURCE_QUERY_RESPONSE,
            response_parameters=_parameters(request, kind),
        )
    )


def _created(request: HttpRequest, resource: Any, kind: Any) -> HttpResponse:
    data = resource.model_dump(
        scim_ctx=Context.RESOURCE_CREATION_RESPONSE,
        response_parameters=_parameters(request, kind),
    )
    return answer(data, 201, Location=str(resource.meta.location))
