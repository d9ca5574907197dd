import { CacheOpsConfigError, CacheOpsError } from '../cacheops.errors.js';
import type { RedisClient } from './redis.client.js';
import { type Ioredis, takesPlainCommands } from './redis.plain-command.js';

/** A connection that only listens. */
export interface RedisSubscriber {
  connect(): Promise<void>;
  subscribe(channel: string): Promise<unknown>;
  on(event: 'message', listener: (channel: string, message: string) => void): unknown;
  on(event: 'close' | 'error', listener: () => void): unknown;
  disconnect(): void;
}

/** Options of ioredis; the usual ones are named here, all others are passed on. */
export interface RedisConnectionOptions {
  readonly host?: string;
  readonly port?: number;
  readonly db?: number;
  readonly username?: string;
  readonly password?: string;
  /** Milliseconds until a connection attempt is given up. */
  readonly connectTimeout?: number;
}

/** A URL, options of ioredis, or a client that the application owns. */
export type RedisOption = string | RedisClient | RedisConnectionOptions | Readonly<Record<string, unknown>>;

export interface RedisConnection {
  readonly client: RedisClient;
  /** Sends a command that was made here; `undefined`: the client has to make its commands itself. */
  readonly sendPlain: ((command: object) => void) | undefined;
  /**
   * Replaces a connection on which the server was found silent twice in a row; TCP alone would take minutes. Nothing
   * for a client of the application, and while a connection is being made anyway.
   */
  reconnect(): void;
  /** Another connection, not opened yet, that does not come back when it breaks. Throws while there can be none. */
  subscriber(): RedisSubscriber;
  /** Ends a connection that was opened here; leaves a client of the application alone. */
  close(): Promise<void>;
}

const CONNECT_TIMEOUT = 2_000;
const LONGEST_BACKOFF = 2_000;

/**
 * Commands fail at once while the server is away, because the guard turns that into misses. Not `socketTimeout`: its
 * timer outlives the connection it was set for and destroys the next one (ioredis 5.11).
 */
const FAIL_FAST = {
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  connectTimeout: CONNECT_TIMEOUT,
  disconnectTimeout: 200,
  keepAlive: 10_000,
  retryStrategy: (attempt: number): number => Math.min(50 * 2 ** Math.min(attempt, 10), LONGEST_BACKOFF),
  // After a failover the old primary answers READONLY: look for the new one.
  reconnectOnError: (error: Error): boolean => error.message.startsWith('READONLY'),
};

/**
 * Opens a connection with ioredis, or takes a client over for use. A server that cannot be reached is no error: the
 * connection keeps trying in the background.
 *
 * @throws CacheOpsConfigError when the option is none of the three
 * @throws CacheOpsError DRIVER when a connection has to be opened and ioredis is not installed
 */
export async function connectRedis(option: RedisOption): Promise<RedisConnection> {
  if (isClient(option)) {
    return {
      client: option,
      // It may be of another package.
      sendPlain: plainSender(option, await import('ioredis').catch(() => undefined)),
      subscriber: () => subscriberOf(option),
      reconnect: () => undefined,
      close: async () => undefined,
    };
  }
  if (typeof option !== 'string' && (typeof option !== 'object' || option === null)) {
    throw new CacheOpsConfigError('redis', 'a URL, ioredis options or an ioredis client', option);
  }
  const ioredis = await loadIoredis();
  const { Redis } = ioredis;
  const client =
    typeof option === 'string' ? new Redis(option, FAIL_FAST) : new Redis({ ...FAIL_FAST, ...option });
  // Without a listener ioredis prints each failure; the guard reports state changes instead.
  client.on('error', () => undefined);
  await reached(client, CONNECT_TIMEOUT);
  let silent = false;
  const heard = (): void => {
    silent = false;
  };
  client.on('ready', heard).on('close', heard);
  return {
    client,
    sendPlain: plainSender(client, ioredis),
    subscriber: () => subscriberOf(client),
    reconnect: () => {
      if (client.status !== 'ready' && client.status !== 'connect') return;
      if (silent) client.disconnect(true);
      silent = true;
    },
    close: () => ended(client),
  };
}

/** `retryStrategy`: a connection that came back by itself would hide that it was away. */
const LISTENING = {
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  connectTimeout: CONNECT_TIMEOUT,
  disconnectTimeout: 200,
  keepAlive: 10_000,
  retryStrategy: (): null => null,
};

interface Duplicable {
  duplicate(override: object): object;
}

/** On a Cluster a node: what is published on one of them is told to all. */
function subscriberOf(client: RedisClient): RedisSubscriber {
  if (!client.isCluster) return (client as Duplicable).duplicate(LISTENING) as RedisSubscriber;
  const masters = client.nodes?.('master') ?? [];
  const master = masters[Math.floor(Math.random() * masters.length)];
  if (master === undefined) throw new CacheOpsError('DRIVER', 'The nodes of the Redis Cluster are not known');
  return master.duplicate(LISTENING) as RedisSubscriber;
}

/** Waits for the first attempt, good or bad. */
const reached = (client: { connect(): Promise<void> }, patience: number): Promise<void> =>
  atMost(
    client.connect().catch(() => undefined),
    patience,
  );

/** Waits for `work`, and never longer than `patience` milliseconds. */
async function atMost(work: Promise<void>, patience: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, patience);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}

/** Disconnects and waits until the socket is closed, so that nothing of the connection outlives the application. */
async function ended(client: {
  readonly status: string;
  disconnect(): void;
  once(event: 'end', listener: () => void): unknown;
}): Promise<void> {
  // Without a socket ioredis tells no end.
  const isConnected = client.status === 'connect' || client.status === 'ready';
  const end = new Promise<void>((resolve) => client.once('end', resolve));
  client.disconnect();
  if (isConnected) await atMost(end, CONNECT_TIMEOUT);
}

function plainSender(client: RedisClient, ioredis: Ioredis | undefined): RedisConnection['sendPlain'] {
  if (!ioredis || !takesPlainCommands(client, ioredis)) return undefined;
  return (command) => void client.sendCommand(command);
}

async function loadIoredis() {
  try {
    return await import('ioredis');
  } catch (error) {
    throw new CacheOpsError('DRIVER', 'redis: install ioredis 5 or 6, or pass a client', { cause: error });
  }
}

function isClient(option: unknown): option is RedisClient {
  const client = option as Partial<RedisClient> | null;
  return (
    typeof client === 'object' &&
    typeof client?.mgetBuffer === 'function' &&
    typeof client.evalsha === 'function'
  );
}
