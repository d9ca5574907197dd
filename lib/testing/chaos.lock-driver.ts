import type {
  LockBusy,
  LockDriver,
  LockGrant,
  LockLease,
  LockPatience,
  LockRenewal,
  LockRequest,
  LockState,
  LockTurn,
  ReleaseOutcome,
  RenewOutcome,
} from '../locks/lock-driver.interface.js';
import { Faults } from './faults.js';

export type LockDriverMethod = Exclude<keyof LockDriver, 'capabilities' | 'watch' | 'close'>;

/** A lock driver that misbehaves on demand. Calls without a fault pass to the driver inside. */
export class ChaosLockDriver extends Faults<LockDriverMethod> implements LockDriver {
  readonly capabilities: LockDriver['capabilities'];
  readonly watch?: NonNullable<LockDriver['watch']>;
  readonly acquireInTurn?: (request: LockRequest, patience: LockPatience) => Promise<LockTurn | LockBusy>;

  constructor(private readonly inner: LockDriver) {
    super({ acquire: 0, acquireInTurn: 0, renew: 0, release: 0, inspect: 0 });
    this.capabilities = inner.capabilities;
    if (inner.watch) this.watch = inner.watch.bind(inner);
    const inTurn = inner.acquireInTurn?.bind(inner);
    if (inTurn) {
      this.acquireInTurn = (request, patience) => this.pass('acquireInTurn', () => inTurn(request, patience));
    }
  }

  acquire(request: LockRequest): Promise<LockGrant | LockBusy> {
    return this.pass('acquire', () => this.inner.acquire(request));
  }

  renew(leases: readonly LockRenewal[]): Promise<readonly RenewOutcome[]> {
    return this.pass('renew', () => this.inner.renew(leases));
  }

  release(lease: LockLease): Promise<ReleaseOutcome> {
    return this.pass('release', () => this.inner.release(lease));
  }

  inspect(name: string): Promise<LockState> {
    return this.pass('inspect', () => this.inner.inspect(name));
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}
