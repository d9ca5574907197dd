import type { Scheduler } from '../../core/clock.js';

/** A connection that is there to listen. */
export interface Subscriber {
  connect(): Promise<void>;
  /** Rejects at the latest when it is disconnected. */
  subscribe(channel: string): Promise<unknown>;
  on(event: 'message', listener: (channel: string, text: string) => void): unknown;
  on(event: 'close' | 'error', listener: () => void): unknown;
  disconnect(): void;
}

export interface WakeUpSettings {
  /** A new connection, not opened yet. May throw. */
  readonly connect: () => Subscriber;
  readonly channel: string;
  readonly scheduler: Scheduler;
  readonly onMessage: (text: string) => void;
  /** The channel is heard from now on, or not any more. */
  readonly onChange: () => void;
}

const FIRST_RETRY = 50;
const LONGEST_RETRY = 2_000;
/** Milliseconds until a server that accepts connections and does not answer is given up. */
const PATIENCE = 2_000;

/** The one connection on which a process hears that it is the turn of one of its waiters. Opened when it is needed. */
export class WakeUps {
  #subscriber: Subscriber | undefined;
  #isUp = false;
  #opening: Promise<void> | undefined;
  #retries = 0;
  #cancelRetry: (() => void) | undefined;
  #closed = false;

  constructor(private readonly settings: WakeUpSettings) {}

  /** Whether the channel is heard. */
  get isUp(): boolean {
    return this.#isUp;
  }

  get channel(): string {
    return this.settings.channel;
  }

  /** Resolves when the channel is heard, or the attempt has failed; it goes on in the background. Never rejects. */
  open(): Promise<void> {
    if (this.#isUp || this.#closed) return Promise.resolve();
    this.#opening ??= this.#subscribe().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  close(): void {
    this.#closed = true;
    this.#cancelRetry?.();
    this.#gone(this.#subscriber);
  }

  async #subscribe(): Promise<void> {
    this.#cancelRetry?.();
    let subscriber: Subscriber | undefined;
    try {
      subscriber = this.settings.connect();
      await this.#listen(subscriber);
    } catch {
      this.#gone(subscriber);
    }
    if (!this.#isUp) this.#retry();
  }

  async #listen(subscriber: Subscriber): Promise<void> {
    this.#subscriber = subscriber;
    const gone = (): void => this.#gone(subscriber);
    subscriber.on('error', () => undefined);
    subscriber.on('close', gone);
    subscriber.on('message', (_channel, text) => this.settings.onMessage(text));
    const cancel = this.settings.scheduler.schedule(PATIENCE, gone, true);
    try {
      await subscriber.connect();
      await subscriber.subscribe(this.channel);
    } finally {
      cancel();
    }
    if (subscriber !== this.#subscriber) return;
    this.#isUp = true;
    this.#retries = 0;
    this.settings.onChange();
  }

  #gone(subscriber: Subscriber | undefined): void {
    if (subscriber === undefined || subscriber !== this.#subscriber) return;
    this.#subscriber = undefined;
    subscriber.disconnect();
    if (!this.#isUp) return;
    this.#isUp = false;
    this.settings.onChange();
    this.#retry();
  }

  #retry(): void {
    if (this.#closed) return;
    const pause = Math.min(FIRST_RETRY * 2 ** this.#retries, LONGEST_RETRY);
    this.#retries = Math.min(this.#retries + 1, 10);
    this.#cancelRetry?.();
    this.#cancelRetry = this.settings.scheduler.schedule(pause, () => void this.open(), true);
  }
}
