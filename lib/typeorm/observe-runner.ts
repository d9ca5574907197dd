import type { QueryRunner } from 'typeorm';
import type { ConnectionContext } from './connection-context.js';
import { ObservedConnection } from './connection.js';
import type { Execute } from './statement.js';

const CONNECTION = Symbol('cacheops.connection');

interface ObservedRunner extends QueryRunner {
  [CONNECTION]?: ObservedConnection;
}

type Observed = Pick<QueryRunner, 'query' | 'release' | 'stream'>;

/**
 * Puts a prototype with observing methods between runners and their class. A runner lives as long as one query, so
 * making closures for each would cost more than what they do.
 */
export class RunnerObserver {
  private readonly prototypes = new Map<object, object>();

  constructor(private readonly shared: ConnectionContext) {}

  /** Follows the connection that a runner opens. SQLite hands out the same runner again and again. */
  observe(runner: QueryRunner): ObservedConnection {
    const known = connectionOf(runner);
    if (known) return known;
    const plain = Object.getPrototypeOf(runner) as QueryRunner;
    let observed = this.prototypes.get(plain);
    if (!observed) this.prototypes.set(plain, (observed = observedPrototype(plain)));
    const execute: Execute = (sql, params, structured) =>
      (plain.query as Execute).call(runner, sql, params, structured);
    const connection = new ObservedConnection(
      this.shared,
      execute,
      () => runner.connect() as Promise<object>,
    );
    (Object.setPrototypeOf(runner, observed) as ObservedRunner)[CONNECTION] = connection;
    return connection;
  }
}

/** The observed connection of a runner, `undefined` for a runner of somebody else. */
export const connectionOf = (runner: QueryRunner): ObservedConnection | undefined =>
  (runner as ObservedRunner)[CONNECTION];

function observedPrototype(plain: QueryRunner): object {
  const inherited = plain as Observed;
  const methods: Observed & ThisType<ObservedRunner & { [CONNECTION]: ObservedConnection }> = {
    query(sql: string, params?: readonly unknown[], structured?: boolean) {
      const connection = this[CONNECTION];
      return connection.query(sql, params, structured).catch((error: unknown) => {
        connection.note(error);
        throw error;
      }) as Promise<never>;
    },
    release() {
      return this[CONNECTION].release(() => inherited.release.call(this));
    },
    async stream(sql, params, onEnd, onError) {
      const done = await this[CONNECTION].beforeStream(sql, params);
      const end = (): void => {
        done();
        onEnd?.();
      };
      const fail = (error: Error): void => {
        done();
        onError?.(error);
      };
      return inherited.stream.call(this, sql, params, end, fail);
    },
  };
  return Object.assign(Object.create(plain) as object, methods);
}
