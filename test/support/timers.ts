import { createHook } from 'node:async_hooks';

interface Timer {
  hasRef(): boolean;
}

/**
 * Watches timers that this package or ioredis start. Counting all timers of the process would count those of jest's
 * reporter as well, which ticks in the same process when specs run in band.
 */
export function watchTimers(): { alive(): string[]; stop(): void } {
  const started = new Map<number, { timer: Timer; stack: string }>();
  const hook = createHook({
    init(id, type, _trigger, resource) {
      if (type !== 'Timeout') return;
      const stack = new Error('timer').stack ?? '';
      if (/[\\/](?:lib|node_modules[\\/]ioredis)[\\/]/.test(stack)) {
        started.set(id, { timer: resource as Timer, stack });
      }
    },
    destroy(id) {
      started.delete(id);
    },
  }).enable();
  return {
    /** Stacks of the timers that keep the process alive. */
    alive: () => [...started.values()].filter(({ timer }) => timer.hasRef()).map(({ stack }) => stack),
    stop: () => void hook.disable(),
  };
}
