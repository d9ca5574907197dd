/** What this package looks at in a request of Express or Fastify. */
export interface CallRequest {
  readonly method: string;
  readonly url: string;
  readonly originalUrl?: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly params?: unknown;
  readonly query?: unknown;
  readonly user?: unknown;
  readonly session?: unknown;
}
