import type { RedisCalls } from '../../drivers/redis.calls.js';
import type { LockLease, LockRequest } from '../lock-driver.interface.js';
import { acquireIdleScript } from './redis.lock-acquire.js';
import { storedFor } from './redis.lock-layout.js';
import { surelyLasts } from './redis.waiters.js';

/** Names that are remembered at most; of those that nobody ever releases. */
const MOST = 10_000;

/** Somebody who asks for a name, or has it. */
export class Taker {
  /** There is no reply yet. */
  isAsking = true;
  /** For those who asked meanwhile. */
  later: Promise<void> | undefined;
  tellLater: (() => void) | undefined;
  #stored: string | undefined;
  #lastsUntil = 0;

  constructor(readonly owner: string) {}

  /**
   * @param since monotonic time before it asks
   * @returns the token, or `''` if the name is not idle
   */
  ask(calls: RedisCalls, request: LockRequest, since: number): Promise<string> {
    return calls.runFor(acquireIdleScript, request, (token) => {
      if (token !== '') {
        this.#stored = storedFor(request, token);
        this.#lastsUntil = surelyLasts(since, request.ttl);
      }
      return token;
    });
  }

  /** It is renewed. @param since monotonic time before that was asked for */
  lasts(ttl: number, since: number): void {
    this.#lastsUntil = Math.min(this.#lastsUntil, surelyLasts(since, ttl));
  }

  /**
   * How what is stored for it in the first key begins, unless somebody came to wait.
   * @param now monotonic time
   * @returns `undefined`: unknown, or the lease may be over
   */
  storedAt(now: number): string | undefined {
    return now < this.#lastsUntil ? this.#stored : undefined;
  }
}

/**
 * Which names somebody of this process took, or tries to take, as if nobody else wanted them: by a shorter script.
 * It is a guess. If it is wrong, the short script changes nothing, and the long one is run after it.
 */
export class IdleNames {
  readonly #takers = new Map<string, Taker>();

  /** @returns `undefined` unless the names may be asked for like that: it is one, exclusively, that nobody here is at */
  begin({ names, mode, owner }: LockRequest): Taker | undefined {
    const [name = ''] = names;
    if (names.length > 1 || mode !== 'exclusive' || this.#takers.has(name)) return undefined;
    if (this.#takers.size >= MOST) this.#takers.clear();
    const taker = new Taker(owner);
    this.#takers.set(name, taker);
    return taker;
  }

  /**
   * There is a reply, or there will be none. To be called when, if it was refused, it has asked to stand in line.
   * @param taker told by itself, because it may have been forgotten meanwhile, and others wait for it
   */
  answered(taker: Taker, request: LockRequest, isGranted: boolean): void {
    taker.isAsking = false;
    if (!isGranted) this.end(request);
    taker.tellLater?.();
  }

  /**
   * Whoever asks while another one of this process is asking may not stand in line before that one.
   * @returns resolves when it may; `undefined`: now
   */
  turnOf(names: readonly string[]): Promise<void> | undefined {
    const [name = ''] = names;
    const taker = names.length === 1 ? this.#takers.get(name) : undefined;
    if (!taker?.isAsking) return undefined;
    taker.later ??= new Promise((resolve) => (taker.tellLater = resolve));
    return taker.later;
  }

  /** @returns who it was, if the names were asked for like that */
  end(lease: LockLease): Taker | undefined {
    const taker = this.find(lease);
    if (taker) this.#takers.delete(lease.names[0] as string);
    return taker;
  }

  find({ names, owner }: LockLease): Taker | undefined {
    const taker = this.#takers.get(names[0] as string);
    return taker?.owner === owner ? taker : undefined;
  }

  /** Somebody was granted the names by the long script: what is remembered is over. */
  forget(names: readonly string[]): void {
    for (const name of names) this.#takers.delete(name);
  }
}
