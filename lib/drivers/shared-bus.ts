import type { BusSource, BusListener, BusOptions, InvalidationBus } from './bus.interface.js';

/** Who listens, and whether it has been told that it hears everything. */
interface Opened {
  readonly bus: InvalidationBus;
  readonly maxLag: number;
  readonly listeners: Set<BusListener>;
  joined: boolean;
}

/** One connection for all of this process that listen: it is opened by the first, and closed by the last. */
export class SharedBus implements BusSource {
  private opened: Opened | undefined;

  constructor(private readonly driver: BusSource) {}

  /** Who must hear sooner than the one that opened the connection gets one of its own. */
  openBus(listener: BusListener, options: BusOptions): InvalidationBus {
    this.opened ??= this.open(options);
    const { opened } = this;
    if (options.maxLag < opened.maxLag) return this.driver.openBus(listener, options);
    opened.listeners.add(listener);
    if (opened.joined) listener.joined();
    return {
      get validUntil() {
        return opened.bus.validUntil;
      },
      close: async () => {
        opened.listeners.delete(listener);
        if (opened.listeners.size > 0 || this.opened !== opened) return;
        this.opened = undefined;
        await opened.bus.close();
      },
    };
  }

  private open(options: BusOptions): Opened {
    const listeners = new Set<BusListener>();
    const state = { joined: false };
    const bus = this.driver.openBus(
      {
        joined: () => {
          state.joined = true;
          for (const each of listeners) each.joined();
        },
        invalidated: (tokens) => {
          for (const each of listeners) each.invalidated(tokens);
        },
        lost: (reason) => {
          state.joined = false;
          for (const each of listeners) each.lost(reason);
        },
      },
      options,
    );
    return Object.assign(state, { bus, maxLag: options.maxLag, listeners });
  }
}
