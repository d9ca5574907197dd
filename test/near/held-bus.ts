import type { Token } from '../../lib/core/token.js';
import type {
  BusListener,
  BusLoss,
  BusOptions,
  BusSource,
  InvalidationBus,
} from '../../lib/drivers/bus.interface.js';

/** A bus whose messages arrive when the test lets them, or never. */
export class HeldBus implements BusSource {
  /** Messages on their way, oldest first. */
  readonly held: (readonly Token[])[] = [];
  validUntil = Infinity;
  maxLag: number | undefined;
  /** Messages so far. */
  told = 0;
  readonly joined: Promise<void>;
  #listener: BusListener | undefined;
  #opened: InvalidationBus | undefined;
  #joined: () => void = () => undefined;
  #waiting: { readonly token: Token; readonly arrived: () => void } | undefined;

  constructor(private readonly source: BusSource) {
    this.joined = new Promise((resolve) => (this.#joined = resolve));
  }

  openBus(listener: BusListener, options: BusOptions): InvalidationBus {
    this.#listener = listener;
    this.maxLag = options.maxLag;
    const bus = this.source.openBus(
      {
        joined: () => {
          listener.joined();
          this.#joined();
        },
        invalidated: (tokens) => {
          this.told++;
          this.held.push(tokens);
          if (this.#waiting && tokens.includes(this.#waiting.token)) this.#waiting.arrived();
        },
        lost: (reason) => listener.lost(reason),
      },
      options,
    );
    this.#opened = bus;
    const validUntil = (): number => this.validUntil;
    return {
      get validUntil() {
        return validUntil();
      },
      close: () => bus.close(),
    };
  }

  /** Resolves when the backend has told of a token, and so of all before it. To be called before it does. */
  tells(token: Token): Promise<void> {
    return new Promise((arrived) => (this.#waiting = { token, arrived }));
  }

  /** Lets the oldest messages arrive. */
  deliver(count = this.held.length): void {
    for (const tokens of this.held.splice(0, count)) this.#listener?.invalidated(tokens);
  }

  /** Messages that are on their way no more. */
  get heard(): number {
    return this.told - this.held.length;
  }

  /** The oldest messages never arrive, and nobody notices. */
  drop(count = 1): void {
    this.held.splice(0, count);
  }

  /** As if the message of a token had not been sent. */
  forget(token: Token): void {
    const at = this.held.findLastIndex((tokens) => tokens.includes(token));
    if (at < 0) return;
    this.held.splice(at, 1);
    this.told--;
  }

  /** The messages on their way never arrive, and that is noticed. */
  lose(reason: BusLoss = 'disconnected'): void {
    this.held.length = 0;
    this.#listener?.lost(reason);
  }

  /** Hears nothing more. */
  async close(): Promise<void> {
    await this.#opened?.close();
  }

  rejoin(): void {
    this.#listener?.joined();
  }
}
