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
  #listener: BusListener | undefined;

  constructor(private readonly source: BusSource) {}

  openBus(listener: BusListener, options: BusOptions): InvalidationBus {
    this.#listener = listener;
    this.maxLag = options.maxLag;
    const bus = this.source.openBus(
      {
        joined: () => listener.joined(),
        invalidated: (tokens) => void this.held.push(tokens),
        lost: (reason) => listener.lost(reason),
      },
      options,
    );
    const validUntil = (): number => this.validUntil;
    return {
      get validUntil() {
        return validUntil();
      },
      close: () => bus.close(),
    };
  }

  /** Lets the oldest messages arrive. */
  deliver(count = this.held.length): void {
    for (const tokens of this.held.splice(0, count)) this.#listener?.invalidated(tokens);
  }

  /** The messages on their way never arrive, and that is noticed. */
  lose(reason: BusLoss = 'disconnected'): void {
    this.held.length = 0;
    this.#listener?.lost(reason);
  }

  rejoin(): void {
    this.#listener?.joined();
  }
}
