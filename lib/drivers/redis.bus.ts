import type { Clock } from '../core/clock.js';
import type { BusListener, BusLoss, BusOptions, InvalidationBus } from './bus.interface.js';
import { type BusMessage, FIRST, newMessageId, parseBusMessage, parseBusState } from './redis.bus.scripts.js';
import type { RedisSubscriber } from './redis.connection.js';

/** What the bus asks of the backend. */
export interface BusBackend {
  readonly channel: string;
  /** A new connection, not opened yet. May throw. */
  connect(): RedisSubscriber;
  /** What the key of the bus holds, asked on the connection that commands take. */
  last(): Promise<string | undefined>;
  /** Publishes a message with this id that invalidates nothing. */
  hello(id: string): Promise<void>;
}

/** A look at the last message that has not been confirmed yet. */
interface Probe {
  readonly sentAt: number;
  /** The last message before it, and those that have come since. */
  readonly heard: Set<string | undefined>;
  /** The id that the backend answered, once it did; when it is heard, all that came before it has been. */
  expected: string | undefined;
}

/** Looks in the time of `maxLag`; so two may fail before the listener is no longer relied on. */
const PROBES = 3;
const LONGEST_BACKOFF = 2_000;
/** Milliseconds until a hello is repeated. */
const PATIENCE = 1_000;
/** Milliseconds until a server that accepts connections and does not answer is given up. */
const CONNECT_PATIENCE = 5_000;

/**
 * Hears the channel on a connection of its own. It is in step from the moment at which it hears a message that it
 * has sent itself, until the connection closes or the chain of ids breaks; then it begins again, on a new connection.
 *
 * Pub/sub may lose a message without a word (a Cluster between its nodes, a proxy, a connection whose other end is
 * gone). So the backend is asked for the last id again and again: only what was confirmed lately counts as true.
 */
export class RedisBus implements InvalidationBus {
  validUntil = 0;
  #subscriber: RedisSubscriber | undefined;
  /** Id of the last message heard; `undefined`: not in step. */
  #last: string | undefined;
  #space = '';
  #hello: { readonly id: string; readonly sentAt: number } | undefined;
  #probe: Probe | undefined;
  #attempts = 0;
  /** One wait at a time: for the next attempt, the connection, the hello or the next look. */
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    private readonly backend: BusBackend,
    private readonly listener: BusListener,
    private readonly options: BusOptions & { readonly clock: Clock },
  ) {
    void this.#connect();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.validUntil = 0;
    clearTimeout(this.#timer);
    const subscriber = this.#subscriber;
    this.#subscriber = undefined;
    if (subscriber === undefined) return;
    const closed = new Promise<void>((resolve) => subscriber.on('close', resolve));
    subscriber.disconnect();
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, LONGEST_BACKOFF).unref())]);
  }

  async #connect(): Promise<void> {
    if (this.#closed) return;
    let subscriber: RedisSubscriber | undefined;
    try {
      subscriber = this.backend.connect();
      this.#subscriber = subscriber;
      const gone = (): void => this.#gone(subscriber as RedisSubscriber);
      subscriber.on('close', gone);
      subscriber.on('error', () => undefined);
      subscriber.on('message', (channel, text) => {
        if (channel === this.backend.channel && subscriber === this.#subscriber) this.#hear(text);
      });
      this.#wait(CONNECT_PATIENCE, gone);
      await subscriber.connect();
      await subscriber.subscribe(this.backend.channel);
      if (subscriber !== this.#subscriber) return;
      this.#attempts = 0;
      this.#greet();
    } catch {
      if (subscriber === undefined) this.#retry();
      else this.#gone(subscriber);
    }
  }

  #gone(subscriber: RedisSubscriber): void {
    if (subscriber !== this.#subscriber) return;
    this.#subscriber = undefined;
    subscriber.disconnect();
    this.#lose('disconnected');
    this.#retry();
  }

  #retry(): void {
    if (this.#closed) return;
    const delay = Math.min(50 * 2 ** Math.min(this.#attempts++, 10), LONGEST_BACKOFF);
    this.#wait(delay, () => void this.#connect());
  }

  /** Out of step: what follows is counted from a message of our own. */
  #greet(): void {
    const id = newMessageId();
    this.#hello = { id, sentAt: this.options.clock.monotonic() };
    this.#probe = undefined;
    this.backend.hello(id).catch(() => undefined);
    // A hello that was lost is repeated.
    this.#wait(Math.min(this.options.maxLag, PATIENCE), () => this.#greet());
  }

  #lose(reason: BusLoss): void {
    this.validUntil = 0;
    this.#hello = undefined;
    this.#probe = undefined;
    if (this.#last === undefined) return;
    this.#last = undefined;
    this.listener.lost(reason);
  }

  #hear(text: string): void {
    const message = parseBusMessage(text);
    if (message === undefined) return;
    if (this.#last === undefined) {
      if (message.id === this.#hello?.id) this.#join(this.#hello, message);
    } else if (message.space !== this.#space) {
      // Of another database, or ours was emptied. Where it goes on from something unknown, the next look will tell.
      if (message.before === FIRST) this.#restart('flushed');
    } else if (message.before !== this.#last) {
      this.#restart('gap');
    } else {
      this.#last = message.id;
      this.listener.invalidated(message.tokens);
      this.#probe?.heard.add(message.id);
      if (this.#probe?.expected === message.id) this.#confirm(this.#probe);
    }
  }

  #restart(reason: BusLoss): void {
    this.#lose(reason);
    this.#greet();
  }

  #join(hello: { readonly sentAt: number }, { id, space }: BusMessage): void {
    this.#hello = undefined;
    this.#last = id;
    this.#space = space;
    this.validUntil = hello.sentAt + this.options.maxLag;
    this.listener.joined();
    this.#scheduleProbe();
  }

  #confirm(probe: Probe): void {
    this.#probe = undefined;
    this.validUntil = Math.max(this.validUntil, probe.sentAt + this.options.maxLag);
  }

  #scheduleProbe(): void {
    this.#wait(this.options.maxLag / PROBES, () => {
      this.#look();
      if (this.#last !== undefined) this.#scheduleProbe();
    });
  }

  /** A look that is not confirmed in time is one whose message was lost, or comes too late to be of use. */
  #look(): void {
    const now = this.options.clock.monotonic();
    if (this.#probe !== undefined) {
      if (now - this.#probe.sentAt < this.options.maxLag) return;
      if (this.#probe.expected !== undefined) return this.#restart('late');
    }
    const probe: Probe = { sentAt: now, heard: new Set([this.#last]), expected: undefined };
    this.#probe = probe;
    this.backend.last().then(
      (state) => this.#answered(probe, state),
      () => this.#answered(probe, undefined, false),
    );
  }

  #answered(probe: Probe, state: string | undefined, reached = true): void {
    if (probe !== this.#probe) return;
    if (!reached) {
      this.#probe = undefined;
      return;
    }
    const { space, id } = parseBusState(state ?? '');
    if (space !== this.#space) this.#restart('flushed');
    else if (id === this.#last || probe.heard.has(id)) this.#confirm(probe);
    else probe.expected = id;
  }

  #wait(ms: number, then: () => void): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, ms);
    this.#timer.unref();
  }
}
