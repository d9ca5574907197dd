import { createRequire } from 'node:module';
import type { PendRequest, SettleRequest } from '../../../lib/drivers/cache-driver.interface.js';
import { RedisDriver } from '../../../lib/drivers/redis.driver.js';
import { type Death, DEGRADED } from './protocol.js';

/** The instance that TypeORM uses; it comes without types. */
const pg = createRequire(import.meta.url)('pg') as {
  readonly Client: { readonly prototype: { query(this: object, ...args: unknown[]): unknown } };
};

const die = (): void => void process.kill(process.pid, 'SIGKILL');
/** What was written in this turn of the event loop has left by the next. */
const dieSoon = (): void => void setImmediate(() => setImmediate(die));

/**
 * Where this process is to be killed: between which two steps of the next transaction that gets there. The steps are
 * watched from below: as calls of the driver, and as the COMMIT that is sent.
 */
export class Deaths {
  next: Death | undefined;
  private isPended = false;
  private isCommitted = false;

  constructor() {
    this.watchDriver();
    this.watchCommit();
  }

  /** To be called when a commit was acknowledged and everybody has heard of it. */
  acknowledged(degraded: boolean): void {
    if (this.next === DEGRADED && degraded) die();
    if (this.next === 'committed' && this.isCommitted) die();
  }

  private watchDriver(): void {
    const { pend, settle } = RedisDriver.prototype;
    const hears = (death: Death): boolean => this.next === death;
    const pended = (): void => {
      this.isPended = true;
      if (hears('pended')) die();
    };
    const committed = (): boolean => (this.isCommitted = this.isPended && hears('committed'));
    RedisDriver.prototype.pend = async function (this: RedisDriver, request: PendRequest) {
      if (hears('before pend')) die();
      const done = pend.call(this, request);
      if (hears('pend sent')) dieSoon();
      const reply = await done;
      if (reply === undefined) pended();
      return reply;
    };
    RedisDriver.prototype.settle = async function (this: RedisDriver, request: SettleRequest) {
      // It is never sent: the process lives only until the commit was acknowledged.
      if (committed()) return new Promise<void>(() => undefined);
      const done = settle.call(this, request);
      if (hears('settle sent')) dieSoon();
      await done;
      if (hears('settled')) die();
    };
  }

  private watchCommit(): void {
    const { prototype } = pg.Client;
    const { query } = prototype;
    const isDue = (): boolean => this.isPended && this.next === 'commit sent';
    prototype.query = function (this: object, ...args: unknown[]) {
      const sent = query.apply(this, args);
      if (args[0] === 'COMMIT' && isDue()) dieSoon();
      return sent;
    };
  }
}
