import type { CallRequest } from '../core/call-request.js';

/** The stored responses of a route. */
export interface CachedResponses {
  /** Where it is in the application. */
  readonly route: string;
  /**
   * Forgets the response to a request like this one.
   * @param target a request, or the address of one (`/films?genre=3`) where nothing else decides about the key
   */
  invalidate(target: string | CallRequest): Promise<void>;
  /** The key under which that response is stored. */
  key(target: string | CallRequest): string;
}

/** Tells the companion of a route from that of a method, which has a key for arguments. */
export const isOfRoute = (companion: object): companion is CachedResponses => 'route' in companion;
