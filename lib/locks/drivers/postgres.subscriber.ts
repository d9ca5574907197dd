import { randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { onOwnConnection } from '../typeorm/own-connection.js';
import type { Subscriber } from './wake-ups.js';

/** What we use of a client of `pg`. */
interface Client {
  connect(): Promise<unknown>;
  query(sql: string, values?: readonly unknown[]): Promise<unknown>;
  on(event: 'notification', listener: (notice: { channel: string; payload?: string }) => void): unknown;
  on(event: 'error' | 'end', listener: () => void): unknown;
  end(): Promise<unknown>;
  unref?(): void;
}

/** What we use of TypeORM's pool: it makes its own clients in the same way. */
interface Pool {
  readonly Client: new (options: object) => Client;
  readonly options: object;
}

/** A connection to PostgreSQL beside those of the pool, which would be one fewer for the application. */
export class PostgresSubscriber implements Subscriber {
  readonly #client: Client;
  /** Rejects when it is over. */
  readonly #over: Promise<never>;
  #end: () => void = () => undefined;

  constructor(private readonly dataSource: DataSource) {
    const { Client, options } = (dataSource.driver as unknown as { readonly master: Pool }).master;
    this.#client = new Client(options);
    this.#over = new Promise((_, reject) => {
      this.#end = () => reject(new Error('the connection is closed'));
    });
    this.#over.catch(() => undefined);
  }

  async connect(): Promise<void> {
    await this.#unlessOver(this.#client.connect());
    // Whoever waits keeps the process alive; nobody else has to.
    this.#client.unref?.();
  }

  /** A proxy may have given us a connection that we share with others: only what is heard proves that we listen. */
  async subscribe(channel: string): Promise<void> {
    const word = randomUUID();
    const heard = new Promise<void>((resolve) =>
      this.#client.on('notification', ({ payload }) => payload === word && resolve()),
    );
    await this.query(`LISTEN ${channel}`);
    await onOwnConnection(this.dataSource, (runner) =>
      runner.query('SELECT CAST(pg_notify($1, $2) AS text)', [channel, word]),
    );
    await this.#unlessOver(heard);
  }

  on(event: 'message', listener: (channel: string, text: string) => void): this;
  on(event: 'close' | 'error', listener: () => void): this;
  on(event: 'message' | 'close' | 'error', listener: (channel: string, text: string) => void): this {
    if (event === 'message') {
      this.#client.on('notification', ({ channel, payload }) => listener(channel, payload ?? ''));
    } else {
      this.#client.on(event === 'close' ? 'end' : 'error', () => {
        this.#end();
        listener('', '');
      });
    }
    return this;
  }

  async query(sql: string, values: readonly unknown[] = []): Promise<void> {
    await this.#unlessOver(this.#client.query(sql, values));
  }

  disconnect(): void {
    this.#end();
    this.#client.end().catch(() => undefined);
  }

  #unlessOver<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#over]);
  }
}
