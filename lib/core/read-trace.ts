import type { TokenState } from '../drivers/cache-driver.interface.js';
import type { Dependencies } from './dependencies.js';
import type { RefuseReason } from './instrumentation.js';
import { isStamp, type Stamp } from './stamp.js';
import type { Token } from './token.js';

/** Tokens and the stamps they carried before what depends on them was read. */
export interface StampedTokens {
  readonly tokens: readonly Token[];
  readonly stamps: readonly Stamp[];
}

/** An entry with more tokens than this would cost more to check than to compute. */
const MAX_TOKENS = 2000;

/**
 * What a load has read, and under which stamps: it becomes part of what the loaded value depends on. Each read is
 * stamped before it begins, as if the load had pinned all of it beforehand (law 1); a token that is met again with
 * another stamp has changed in between.
 */
export class ReadTrace {
  private readonly stamps = new Map<Token, Stamp>();
  private lost: RefuseReason | undefined;

  /**
   * @param ttl milliseconds that the stamps must outlive
   * @param exact a read whose dependencies nobody can tell makes the value unfit to be stored
   */
  constructor(
    readonly ttl: number,
    private readonly exact: boolean,
  ) {}

  /** @param states of the tokens, from before the read */
  add(tokens: readonly Token[], states: readonly TokenState[]): void {
    for (let i = 0; i < tokens.length; i++) {
      const state = states[i];
      const known = this.stamps.get(tokens[i] as Token);
      if (!isStamp(state)) this.lost ??= 'pending';
      else if (known !== undefined && known !== state) this.lost ??= 'changed';
      else this.stamps.set(tokens[i] as Token, state);
    }
  }

  /** A read that cannot be attributed to anything. */
  addUntold(): void {
    if (this.exact) this.lost ??= 'untracked';
  }

  /** A read whose tokens could not be stamped. */
  lose(reason: RefuseReason): void {
    this.lost ??= reason;
  }

  /** Whether the stamps of a read that is about to begin are there from an earlier one. */
  covers({ tokens }: Dependencies): boolean {
    return tokens.every((token) => this.stamps.has(token));
  }

  /** All of it together with what was known beforehand; the reason when the value must not be stored. */
  joinedWith(own: StampedTokens): StampedTokens | RefuseReason {
    this.add(own.tokens, own.stamps);
    if (this.lost) return this.lost;
    if (this.stamps.size > MAX_TOKENS) return 'untracked';
    const tokens = [...this.stamps.keys()].sort();
    return { tokens, stamps: tokens.map((token) => this.stamps.get(token) as Stamp) };
  }
}
