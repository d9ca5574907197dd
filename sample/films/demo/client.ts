/** A response and what it cost. */
export interface Answer {
  readonly status: number;
  /** JSON text. */
  readonly body: string;
  /** `database`, `memory` or `shared`. */
  readonly source: string;
  readonly statements: number;
  /** From the request to the last byte, as the client sees it. */
  readonly milliseconds: number;
}

/** Talks to the application as any client does: over HTTP. */
export class Client {
  constructor(private readonly url: string) {}

  get(path: string): Promise<Answer> {
    return this.send('GET', path, {});
  }

  /** The same past the cache. */
  getUncached(path: string): Promise<Answer> {
    return this.send('GET', path, { headers: { 'Cache-Control': 'no-cache' } });
  }

  patch(path: string, changes: object): Promise<Answer> {
    const headers = { 'Content-Type': 'application/json' };
    return this.send('PATCH', path, { headers, body: JSON.stringify(changes) });
  }

  private async send(method: string, path: string, init: RequestInit): Promise<Answer> {
    const began = performance.now();
    const response = await fetch(this.url + path, { ...init, method });
    const body = await response.text();
    const milliseconds = performance.now() - began;
    return {
      status: response.status,
      body,
      source: response.headers.get('X-Source') ?? '?',
      statements: Number(response.headers.get('X-Sql-Statements')),
      milliseconds,
    };
  }
}
