import type { NearEntries, NearEntry, NearForm } from '../drivers/near-entries.interface.js';
import type { CacheContext } from './cache-context.js';
import type { Instrumentation } from './instrumentation.js';
import type { NearCodec, Peek } from './lookup.js';
import { coversTokens, sameTokens } from './token.js';

/** There is no value; `undefined` might be one. */
export const NOTHING: unique symbol = Symbol('cacheops.nothing');
/** The backend does not answer. */
export const UNAVAILABLE: unique symbol = Symbol('cacheops.unavailable');

/** Reads what is kept in this process, without a round trip, or with a small one. */
export class NearReads {
  constructor(
    private readonly entries: NearEntries | undefined,
    private readonly context: CacheContext,
    private readonly instrumentation: Instrumentation,
  ) {}

  /**
   * The value of an entry that is known to be fresh, as far as this process has heard.
   *
   * Not to be asked inside a load. Its stamps are pinned, and the invalidation that made them may not have been heard of
   * yet: what is read here would be older than they are, and be stored as if it were not.
   */
  now<T>(key: string, lookup: Peek<T>): Promise<T> | undefined {
    const entry = this.entries?.get(key);
    return entry === undefined ? undefined : this.served(key, lookup, entry, answerOf);
  }

  /** The same without a promise around it. `undefined` says that there is none: not for values that may be that. */
  value<T extends object>(key: string, lookup: Peek<T>): T | undefined {
    const entry = this.entries?.get(key);
    return entry === undefined ? undefined : this.served(key, lookup, entry, valueOf);
  }

  /** Whether `now` would serve something under the key. */
  has(key: string): boolean {
    return this.entries?.get(key) !== undefined;
  }

  /** The value of an entry that the backend says is fresh; `undefined`: there is none to ask about. */
  checked<T>(lookup: Peek<T>): Promise<T | typeof NOTHING | typeof UNAVAILABLE> | undefined {
    return this.entries?.verified(lookup.key)?.then<T | typeof NOTHING, typeof UNAVAILABLE>(
      (entry) => {
        if (entry === undefined) return NOTHING;
        const answer = this.served(lookup.key, lookup, entry, answerOf);
        if (answer === undefined) return NOTHING;
        this.context.trace?.add(entry.tokens, entry.stamps());
        return answer;
      },
      (error: unknown) => {
        this.instrumentation.error('states', error);
        return UNAVAILABLE;
      },
    );
  }

  /** @param make makes what is returned of the entry */
  private served<T, Made>(
    key: string,
    lookup: Peek<T>,
    entry: NearEntry,
    make: (lookup: Peek<T>, entry: NearEntry) => Made,
  ): Made | undefined {
    if (!isMeant(lookup, entry)) return undefined;
    try {
      const made = make(lookup, entry);
      this.instrumentation.hit(key, lookup.label, 'near');
      lookup.onHit?.('near');
      return made;
    } catch (error) {
      this.instrumentation.error('decode', error);
      return undefined;
    }
  }
}

/** Whether an entry depends on what the reader says it must. */
function isMeant<T>({ recorded, dependencies: { tokens } }: Peek<T>, entry: NearEntry): boolean {
  return recorded ? coversTokens(entry.tokens, tokens) : sameTokens(entry.tokens, tokens);
}

function answerOf<T>(lookup: Peek<T>, entry: NearEntry): Promise<T> {
  const { near } = lookup.codec;
  if (near?.answer !== undefined) {
    const form = formOf(near, entry);
    if (form !== 'none') return near.answer(form) ?? Promise.resolve(near.make(form));
  }
  return Promise.resolve(valueOf(lookup, entry));
}

function valueOf<T>({ codec }: Peek<T>, entry: NearEntry): T {
  const { near } = codec;
  if (near !== undefined) {
    const form = formOf(near, entry);
    if (form !== 'none') return near.make(form);
  }
  return codec.decode(entry.payload());
}

function formOf<T>(near: NearCodec<T>, entry: NearEntry): NearForm | 'none' {
  let { form } = entry;
  if (form === undefined) entry.open((form = near.open(entry.payload()) ?? 'none'));
  return form;
}
