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
 * Puts observing methods on runners. A runner lives as long as one query, so making closures for each would cost more
 * than what they do: the methods are made once for each class of runners. And they are put on the runner itself: with
 * another prototype V8 gives each runner a hidden class of its own, and every query of the application takes twice the
 * time because TypeORM's code meets an unknown kind of object each time.
 */
export class RunnerObserver {
  private readonly methods = new Map<object, Observed>();

  constructor(private readonly shared: ConnectionContext) {}

  /** Follows the connection that a runner opens. SQLite hands out the same runner again and again. */
  observe(runner: QueryRunner): ObservedConnection {
    const known = connectionOf(runner);
    if (known) return known;
    const plain = Object.getPrototypeOf(runner) as QueryRunner;
    let observed = this.methods.get(plain);
    if (!observed) this.methods.set(plain, (observed = observing(plain)));
    const execute: Execute = (sql, params, structured) =>
      (plain.query as Execute).call(runner, sql, params, structured);
    const connection = new ObservedConnection(
      this.shared,
      execute,
      () => runner.connect() as Promise<object>,
    );
    // One by one: `Object.assign` takes longer than all the rest of this.
    runner.query = observed.query;
    runner.release = observed.release;
    runner.stream = observed.stream;
    (runner as ObservedRunner)[CONNECTION] = connection;
    return connection;
  }
}

/** The observed connection of a runner, `undefined` for a runner of somebody else. */
export const connectionOf = (runner: QueryRunner): ObservedConnection | undefined =>
  (runner as ObservedRunner)[CONNECTION];

function observing(inherited: Observed): Observed {
  const methods: Observed & ThisType<ObservedRunner & { [CONNECTION]: ObservedConnection }> = {
    query(sql: string, params?: readonly unknown[], structured?: boolean) {
      return this[CONNECTION].query(sql, params, structured) as Promise<never>;
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
  return methods;
}
