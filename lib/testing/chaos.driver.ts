import type {
  CacheDriver,
  ExpireRequest,
  LeaseRequest,
  PendRequest,
  PinRequest,
  ReadReply,
  SettleRequest,
  ShapeRegistry,
  TokenState,
  WriteRequest,
} from '../drivers/cache-driver.interface.js';
import type { Token } from '../core/token.js';
import { Faults } from './faults.js';

export type DriverMethod = Exclude<
  keyof CacheDriver,
  'capabilities' | 'near' | 'outages' | 'listing' | 'close'
>;

/** A driver that misbehaves on demand. Calls without a fault pass to the driver inside. */
export class ChaosDriver extends Faults<DriverMethod> implements CacheDriver {
  readonly capabilities: CacheDriver['capabilities'];

  constructor(private readonly inner: CacheDriver) {
    super({
      read: 0,
      states: 0,
      pin: 0,
      write: 0,
      pend: 0,
      settle: 0,
      restamp: 0,
      expire: 0,
      lease: 0,
      unlease: 0,
      registries: 0,
      delete: 0,
    });
    this.capabilities = inner.capabilities;
  }

  read(key: string, tokens: readonly Token[]): Promise<ReadReply> {
    return this.pass('read', () => this.inner.read(key, tokens));
  }

  states(tokens: readonly Token[]): Promise<readonly TokenState[]> {
    return this.pass('states', () => this.inner.states(tokens));
  }

  pin(request: PinRequest): Promise<readonly TokenState[]> {
    return this.pass('pin', () => this.inner.pin(request));
  }

  write(request: WriteRequest): Promise<boolean> {
    return this.pass('write', () => this.inner.write(request));
  }

  pend(request: PendRequest): Promise<ReadonlyMap<string, ShapeRegistry> | undefined> {
    return this.pass('pend', () => this.inner.pend(request));
  }

  settle(request: SettleRequest): Promise<void> {
    return this.pass('settle', () => this.inner.settle(request));
  }

  restamp(tokens: readonly Token[]): Promise<void> {
    return this.pass('restamp', () => this.inner.restamp(tokens));
  }

  expire(request: ExpireRequest): Promise<ReadonlyMap<string, ShapeRegistry> | undefined> {
    return this.pass('expire', () => this.inner.expire(request));
  }

  lease(request: LeaseRequest & { readonly ttl: number }): Promise<number> {
    return this.pass('lease', () => this.inner.lease(request));
  }

  unlease(request: LeaseRequest): Promise<void> {
    return this.pass('unlease', () => this.inner.unlease(request));
  }

  registries(tables: readonly string[]): Promise<ReadonlyMap<string, ShapeRegistry>> {
    return this.pass('registries', () => this.inner.registries(tables));
  }

  delete(keys: readonly string[]): Promise<number> {
    return this.pass('delete', () => this.inner.delete(keys));
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}
