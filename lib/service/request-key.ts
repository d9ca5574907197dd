import type { CallRequest } from '../core/call-request.js';

/** Path and query of a request, the query in the order of its names: `/articles?page=2&sort=title`. */
export function routeOf({ originalUrl, url }: Pick<CallRequest, 'originalUrl' | 'url'>): string {
  const target = originalUrl ?? url;
  const at = target.indexOf('?');
  if (at < 0) return target;
  const query = new URLSearchParams(target.slice(at + 1));
  // Stable: values of one name keep their order.
  query.sort();
  const text = query.toString();
  return text === '' ? target.slice(0, at) : `${target.slice(0, at)}?${text}`;
}

/**
 * Whether the request says who makes it: then what it is answered may be for nobody else. A session says so before it
 * has a cookie.
 */
export function hasCredentials({ headers, user, session }: CallRequest): boolean {
  return (
    headers['authorization'] !== undefined ||
    headers['cookie'] !== undefined ||
    (user ?? session ?? undefined) !== undefined
  );
}
