import { CacheOpsConfigError } from '../cacheops.errors.js';
import { systemClock } from '../core/clock.js';
import { EVERYTHING, type Token } from '../core/token.js';
import type {
  EntryListing,
  ExpireRequest,
  LeaseRequest,
  PendRequest,
  PinRequest,
  ReadReply,
  SettleRequest,
  ShapeRegistry,
  TokenState,
  WriteRequest,
} from './cache-driver.interface.js';
import type { BusSource, BusListener, BusOptions, InvalidationBus } from './bus.interface.js';
import type { ConnectedDriver, ConnectionEvent } from './connected-driver.interface.js';
import { RedisBus } from './redis.bus.js';
import { BUS_KEY, helloScript } from './redis.bus.scripts.js';
import { RedisCalls } from './redis.calls.js';
import type { RedisClient } from './redis.client.js';
import { connectRedis, type RedisConnection, type RedisOption } from './redis.connection.js';
import {
  expireScript,
  pendScript,
  restampScript,
  settleScript,
  verifyScript,
} from './redis.invalidation-scripts.js';
import { headsScript, scanScript } from './redis.list-scripts.js';
import { leaseScript, unleaseScript } from './redis.lease-scripts.js';
import { entryKey, stampKey } from './redis.script-parts.js';
import { pinScript, registriesScript, writeScript } from './redis.scripts.js';

export interface RedisDriverOptions {
  readonly redis: RedisOption;
  /** Put before every key. On a Cluster it must contain a hash tag (`{shop}:`), so that all keys share a slot. */
  readonly prefix?: string;
}

const EXCLAMATION = 0x21;

/**
 * Cache in Redis 6.2+ or Valkey. A read of an entry or of stamps is one MGET, a removal one UNLINK, everything else one EVALSHA; deadlines are
 * taken from the clock of the server.
 */
export class RedisDriver implements ConnectedDriver, BusSource {
  readonly capabilities = { shared: true };
  readonly listing: EntryListing = {
    scan: (cursor) => this.#calls.run(scanScript, cursor),
    heads: (keys, token) => this.#calls.run(headsScript, { keys, token }),
  };
  readonly #client: RedisClient;
  readonly #prefix: string;
  readonly #calls: RedisCalls;

  private constructor(
    private readonly connection: RedisConnection,
    prefix: string,
  ) {
    this.#client = connection.client;
    this.#prefix = prefix;
    this.#calls = new RedisCalls(connection, prefix);
  }

  /**
   * Waits for the first connection attempt, at most two seconds; a server that is away is no error.
   * @throws CacheOpsConfigError when `redis` is not usable, or is a Cluster and the prefix has no hash tag
   */
  static async create({ redis, prefix = '' }: RedisDriverOptions): Promise<RedisDriver> {
    const connection = await connectRedis(redis);
    if (connection.client.isCluster && !/\{[^}]+\}/.test(prefix)) {
      throw new CacheOpsConfigError('prefix', 'a hash tag such as "{shop}:" for a Redis Cluster', prefix);
    }
    return new RedisDriver(connection, prefix);
  }

  async read(key: string, tokens: readonly Token[]): Promise<ReadReply> {
    const keys = new Array<string>(tokens.length + 1);
    keys[0] = entryKey(key);
    for (let i = 0; i < tokens.length; i++) keys[i + 1] = stampKey(tokens[i] as Token);
    const values = await this.#calls.mget(keys);
    const states = new Array<TokenState>(tokens.length);
    for (let i = 0; i < states.length; i++) states[i] = stateOf(values[i + 1]);
    return { entry: values[0] ?? undefined, states };
  }

  async states(tokens: readonly Token[]): Promise<readonly TokenState[]> {
    if (tokens.length === 0) return [];
    const values = await this.#calls.mget(tokens.map(stampKey));
    return values.map(stateOf);
  }

  async pin(request: PinRequest): Promise<readonly TokenState[]> {
    if (request.tokens.length === 0 && request.shapes.length === 0) return [];
    return this.#calls.run(pinScript, request);
  }

  write(request: WriteRequest): Promise<boolean> {
    return this.#calls.run(writeScript, request);
  }

  pend(request: PendRequest): Promise<ReadonlyMap<string, ShapeRegistry> | undefined> {
    if (request.tokens.length === 0 && request.registries.size === 0) return Promise.resolve(undefined);
    return this.#calls.run(pendScript, request);
  }

  settle(request: SettleRequest): Promise<void> {
    if (request.tokens.length === 0 && request.tables.length === 0) return Promise.resolve();
    return this.#calls.runLater(settleScript, request);
  }

  async restamp(tokens: readonly Token[]): Promise<void> {
    if (tokens.length > 0) await this.#calls.run(restampScript, tokens);
  }

  async expire(request: ExpireRequest): Promise<ReadonlyMap<string, ShapeRegistry> | undefined> {
    return request.tokens.length === 0 ? undefined : this.#calls.run(expireScript, request);
  }

  lease(request: LeaseRequest & { readonly ttl: number }): Promise<number> {
    return this.#calls.run(leaseScript, request);
  }

  unlease(request: LeaseRequest): Promise<void> {
    return this.#calls.run(unleaseScript, request);
  }

  async registries(tables: readonly string[]): Promise<ReadonlyMap<string, ShapeRegistry>> {
    return tables.length === 0 ? new Map() : this.#calls.run(registriesScript, tables);
  }

  async delete(keys: readonly string[]): Promise<number> {
    if (keys.length === 0) return 0;
    return this.#client.unlink(keys.map((key) => this.#prefix + entryKey(key)));
  }

  watch(listener: (event: ConnectionEvent) => void): () => void {
    const lost = (): void => listener('lost');
    const back = (): void => listener('back');
    this.#client.on('close', lost);
    this.#client.on('ready', back);
    return () => {
      this.#client.off('close', lost);
      this.#client.off('ready', back);
    };
  }

  async verify(): Promise<void> {
    await this.#calls.run(verifyScript, { identity: identityOf(await this.#info()), token: EVERYTHING });
  }

  reconnect(): void {
    this.connection.reconnect();
  }

  /** @throws CacheOpsConfigError when the client of the application can make no other connection */
  openBus(listener: BusListener, { maxLag }: BusOptions): InvalidationBus {
    const makesConnections = Reflect.get(this.#client, this.#client.isCluster ? 'nodes' : 'duplicate');
    if (typeof makesConnections !== 'function') {
      throw new CacheOpsConfigError('redis', 'a client with the method `duplicate`', this.#client);
    }
    return new RedisBus(
      {
        channel: `${this.#client.options?.keyPrefix ?? ''}${this.#prefix}${BUS_KEY}`,
        connect: () => this.connection.subscriber(),
        last: async () => (await this.#calls.mget([BUS_KEY]))[0]?.toString('latin1'),
        hello: (id) => this.#calls.run(helloScript, id),
      },
      listener,
      { maxLag, clock: systemClock },
    );
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  /** A server that hides INFO, as some managed ones do, has no identity: then every reconnect restamps everything. */
  async #info(): Promise<string> {
    try {
      return await this.#client.info();
    } catch (error) {
      if (error instanceof Error && /^(NOPERM|ERR unknown command)/.test(error.message)) return '';
      throw error;
    }
  }
}

function stateOf(value: Buffer | null | undefined): TokenState {
  if (value === null || value === undefined) return undefined;
  return value[0] === EXCLAMATION ? 'pending' : value.toString('latin1');
}

function identityOf(info: string): string {
  const run = /^run_id:(\w+)/m.exec(info)?.[1];
  const replication = /^master_replid:(\w+)/m.exec(info)?.[1];
  return run === undefined ? '' : `${run}:${replication ?? ''}`;
}
