import type { EntityLike } from '../core/entity-model.js';
import type { ShownValues } from './shown-values.js';

/** What the interceptor looks at in a request, with Express and Fastify alike. */
export interface VersionedRequest {
  readonly method: string;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly params: Readonly<Record<string, string>>;
}

/** Options of `@VersionedResource()`. */
export interface VersionedResourceOptions {
  /**
   * The key of the row that the route is about: the name of a route parameter, or a function of the request; of a
   * composite key an object by property. A route without such a parameter is about no row yet: it creates one.
   * Default `'id'`.
   */
  readonly id?: string | ((request: VersionedRequest) => unknown) | undefined;
  /** Whether a request that changes the row must say which version it means; else 428. Default `false`. */
  readonly required?: boolean | undefined;
  /** What error responses may show of the record, as it is and as it was submitted. Default: nothing. */
  readonly show?: ShownValues | undefined;
}

/** What the decorator leaves on a controller or route. */
export interface VersionedRoute extends VersionedResourceOptions {
  readonly entity: () => EntityLike<object>;
}

export const VERSIONED_ROUTE = Symbol('cacheops.versioned-route');
