import {
  applyDecorators,
  createParamDecorator,
  type ExecutionContext,
  SetMetadata,
  UseFilters,
  UseInterceptors,
} from '@nestjs/common';
import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { EntityLike } from '../core/entity-model.js';
import { parseBoolean, parseRecord } from '../options/parse.js';
import type { RecordVersion } from '../versioning/record-version.js';
import { RecordModifiedFilter } from './record-modified.filter.js';
import { MATCHED } from './versioned-exchange.js';
import { VersionedResourceInterceptor } from './versioned-resource.interceptor.js';
import {
  VERSIONED_ROUTE,
  type VersionedResourceOptions,
  type VersionedRoute,
} from './versioned-resource.metadata.js';

/**
 * Controller or route decorator: the route is about one row of an entity that has a version.
 *
 * A response that is the row (with its key and version, before serialization) carries a strong `ETag`. A request that
 * changes it and names other tags in `If-Match` is answered with 412 before the route runs; so is one whose row is
 * changed while it runs, because `save()` and its kin then refuse to write. `If-None-Match: *` gives 412 where the row
 * exists. A conflict without a condition is 409, a missing condition 428 if `required`, a malformed one 400.
 * All as `application/problem+json`.
 *
 * @param entity class, EntitySchema or name, or a function that returns it
 */
export function VersionedResource(
  entity: EntityLike<object> | (() => EntityLike<object>),
  options: VersionedResourceOptions = {},
): ClassDecorator & MethodDecorator {
  const { required, show, id } = parseRecord('VersionedResource', options, ['id', 'required', 'show']);
  if (required !== undefined) parseBoolean('VersionedResource.required', required);
  if (id !== undefined && typeof id !== 'string' && typeof id !== 'function')
    throw new CacheOpsConfigError('VersionedResource.id', 'the name of a route parameter or a function', id);
  if (show !== undefined && show !== 'serialized' && typeof show !== 'function' && !isPaths(show))
    throw new CacheOpsConfigError(
      'VersionedResource.show',
      'a list of properties, "serialized" or a function',
      show,
    );
  const route: VersionedRoute = { ...options, entity: isThunk(entity) ? entity : () => entity };
  return applyDecorators(
    SetMetadata(VERSIONED_ROUTE, route),
    UseInterceptors(VersionedResourceInterceptor),
    UseFilters(RecordModifiedFilter),
  );
}

/**
 * Parameter decorator for routes of `@VersionedResource()`: the version that the request was made for, as `If-Match` has
 * it; `undefined` without that header, and for `If-Match: *`. For writes that name their version themselves, such as
 * `update({ id, version }, changes)`.
 */
export const IfMatch = createParamDecorator(
  (_data: unknown, context: ExecutionContext): RecordVersion | undefined =>
    context.switchToHttp().getRequest<{ [MATCHED]?: RecordVersion }>()[MATCHED],
);

const isPaths = (value: unknown): boolean =>
  Array.isArray(value) && value.every((path) => typeof path === 'string' && path !== '');

/** An arrow function has no prototype; a class has one. */
const isThunk = (
  entity: EntityLike<object> | (() => EntityLike<object>),
): entity is () => EntityLike<object> => typeof entity === 'function' && entity.prototype === undefined;
