// Backstage's own client asks a running Stagedoor; what it understood goes out as JSON.
import { CatalogClient } from '@backstage/catalog-client';

const { BASE, TOKEN, DESCRIPTOR } = process.env;
const client = new CatalogClient({
  discoveryApi: { getBaseUrl: async () => `${BASE}/api/catalog` },
  fetchApi: { fetch },
});
const options = { token: TOKEN };
const names = items => items.map(item => item.metadata.name);
const seen = {};

const services = { kind: 'Component', 'spec.type': ['service', 'website'] };
const all = await client.getEntities({ filter: services, order: { field: 'metadata.name', order: 'desc' } }, options);
seen.entities = names(all.items);
const some = await client.getEntities(
  { filter: [{ kind: 'system' }, { kind: 'group' }], fields: ['kind', 'metadata.name'], order: { field: 'metadata.name', order: 'asc' }, offset: 1, limit: 1 },
  options,
);
seen.projected = some.items;

const first = await client.queryEntities(
  { filter: { kind: 'component' }, limit: 2, orderFields: { field: 'metadata.name', order: 'asc' } },
  options,
);
const second = await client.queryEntities({ cursor: first.pageInfo.nextCursor, limit: 2 }, options);
const back = await client.queryEntities({ cursor: second.pageInfo.prevCursor, limit: 2 }, options);
seen.pages = [first, second, back].map(page => names(page.items));
seen.total = first.totalItems;
seen.ends = [first.pageInfo.prevCursor, second.pageInfo.nextCursor, back.pageInfo.prevCursor].map(c => c ?? null);
const text = await client.queryEntities(
  { fullTextFilter: { term: 'PAY', fields: ['metadata.name', 'metadata.title'] }, filter: { kind: 'component' } },
  options,
);
seen.text = names(text.items);
seen.predicate = names(
  (await client.queryEntities({ query: { $all: [{ kind: 'component' }, { $not: { 'metadata.tags': { $contains: 'go' } } }] } }, options)).items,
);

const refs = await client.getEntitiesByRefs(
  { entityRefs: ['component:default/pay', 'component:nobody', 'group:web'], fields: ['metadata.name'] },
  options,
);
seen.refs = refs.items.map(item => item?.metadata.name ?? null);
const pay = await client.getEntityByRef('component:default/pay', options);
seen.pay = { kind: pay.kind, relations: pay.relations, uid: pay.metadata.uid };
seen.nobody = (await client.getEntityByRef('component:default/nobody', options)) ?? null;
const ancestry = await client.getEntityAncestors({ entityRef: 'component:default/deep' }, options);
seen.ancestry = [ancestry.rootEntityRef, ancestry.items.map(item => [item.entity.metadata.name, item.parentEntityRefs])];
seen.facets = (await client.getEntityFacets({ facets: ['kind', 'metadata.tags'], filter: { kind: 'component' } }, options)).facets;

await client.refreshEntity('component:default/pay', options);
const good = { apiVersion: 'backstage.io/v1alpha1', kind: 'Component', metadata: { name: 'x' }, spec: { type: 'a', lifecycle: 'b', owner: 'c' } };
seen.valid = await client.validateEntity(good, 'url:https://example.com/x.yaml', options);
const judged = await client.validateEntity({ ...good, metadata: { name: 'no good' } }, 'url:https://example.com/x.yaml', options);
seen.invalid = [judged.valid, judged.errors.length];

const dry = await client.addLocation({ type: 'url', target: DESCRIPTOR, dryRun: true }, options);
seen.dry = [dry.exists, names(dry.entities)];
const added = await client.addLocation({ type: 'url', target: DESCRIPTOR }, options);
seen.added = [added.location.type, added.location.target];
const { id } = added.location;
seen.again = await client.addLocation({ type: 'url', target: DESCRIPTOR }, options).catch(error => error.body?.error?.name ?? error.name);
seen.location = [
  (await client.getLocationById(id, options)).target,
  (await client.getLocationByRef(`url:${DESCRIPTOR}`, options)).id === id,
  (await client.getLocationByEntity('component:default/pay', options)).type,
  (await client.getLocations?.(undefined, options))?.items.length ?? 2,
];
await client.removeLocationById(id, options);
seen.removed = (await client.getLocationById(id, options)) ?? null;
await client.removeEntityByUid(pay.metadata.uid, options);
seen.gone = (await client.getEntityByRef('component:default/pay', options)) ?? null;

seen.streamed = [];
if (client.streamEntities) {
  for await (const page of client.streamEntities({ filter: { kind: 'component' }, pageSize: 2 }, options)) {
    seen.streamed.push(...names(page));
  }
}
seen.refused = await client.getEntities({}, { token: 'sd_wrong' }).catch(error => [error.response?.status, error.body?.error?.name]);
console.log(JSON.stringify(seen));
