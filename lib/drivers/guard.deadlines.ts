import { CacheOpsError } from '../cacheops.errors.js';
import type { Clock } from '../core/clock.js';

/** Milliseconds by which a timer comes late when the event loop was held up. */
const STALL = 50;
/** Milliseconds that operations get after such a stall. */
const GRACE = 50;

/** One operation that is being waited for. */
export interface Deadline {
  /** @returns false when the deadline has passed and the operation was given up */
  close(): boolean;
}

class Waiting implements Deadline {
  next: Waiting | undefined;
  open = true;

  constructor(
    readonly at: number,
    readonly expire: () => void,
    private readonly owner: Deadlines,
  ) {}

  close(): boolean {
    if (!this.open) return false;
    this.open = false;
    this.owner.dropClosed();
    return true;
  }
}

/**
 * Deadlines of operations that all have the same patience, so they run out in the order in which they began: a queue
 * and one timer, where a timer for each operation would cost more than the operation. The timer keeps no process
 * alive.
 */
export class Deadlines {
  #head: Waiting | undefined;
  #tail: Waiting | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param patience milliseconds that each operation is given */
  constructor(
    private readonly patience: number,
    private readonly clock: Clock,
  ) {}

  /** @param expire called once, unless the deadline is closed before it passes */
  open(expire: () => void): Deadline {
    const node = new Waiting(this.clock.monotonic() + this.patience, expire, this);
    if (this.#tail === undefined) this.#head = node;
    else this.#tail.next = node;
    this.#tail = node;
    if (this.#timer === undefined) this.#arm(this.patience);
    return node;
  }

  /** Forgets closed operations at the head; those behind an open one wait for it. */
  dropClosed(): void {
    while (this.#head !== undefined && !this.#head.open) this.#head = this.#head.next;
    if (this.#head === undefined) this.#tail = undefined;
  }

  #arm(ms: number): void {
    const delay = Math.max(1, Math.ceil(ms));
    const due = this.clock.monotonic() + delay;
    this.#timer = setTimeout(() => this.#due(due), delay).unref();
  }

  /**
   * A stall of the event loop must not be taken for a slow backend. Timers run before sockets are read: the replies
   * may be there, but not yet seen, and `setImmediate` lets them in first. After a long stall commands may not even
   * have been written, because they leave when the turn ends: those get a little more time, counted from now.
   */
  #due(due: number): void {
    const stalled = this.clock.monotonic() - due > STALL;
    if (stalled) this.#timer = setTimeout(() => setImmediate(() => this.#expire()), GRACE).unref();
    else setImmediate(() => this.#expire());
  }

  #expire(): void {
    this.#timer = undefined;
    const now = this.clock.monotonic();
    for (let node = this.#head; node !== undefined && node.at <= now; node = node.next) {
      if (!node.open) continue;
      node.open = false;
      node.expire();
    }
    this.dropClosed();
    if (this.#head !== undefined && this.#timer === undefined) this.#arm(this.#head.at - now);
  }
}

/** Starts the operation and gives it up when its deadline passes; what comes later is ignored. */
export function attempt<T>(deadlines: Deadlines, start: () => Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const deadline = deadlines.open(() =>
      reject(new CacheOpsError('DRIVER', 'The cache backend did not answer in time.')),
    );
    start().then(
      (reply) => {
        if (deadline.close()) resolve(reply);
      },
      (error: Error) => {
        if (deadline.close()) reject(error);
      },
    );
  });
}
