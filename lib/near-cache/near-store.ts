import type { Clock } from '../core/clock.js';
import { STAMP_LENGTH, type Stamp } from '../core/stamp.js';
import { EVERYTHING, type Token } from '../core/token.js';
import type { NearEntry, NearForm } from '../drivers/near-entries.interface.js';
import { FifoNode, S3Fifo } from '../drivers/s3-fifo.js';

/** What this process knows of a token: nothing has happened to it since the record was made, or something has. */
class TokenRecord {
  unchanged = true;
  /** Entries and reservations that look at it. */
  uses = 0;

  constructor(readonly token: Token) {}
}

/** Taken before an entry is read; says afterwards whether anything has happened to its tokens since. */
export interface Reservation {
  readonly generation: number;
  /** How many changes had been told of when it was last found to be current. */
  seen: number;
  readonly tokens: readonly Token[];
  readonly records: readonly TokenRecord[];
}

/** What there is to keep. */
export interface Keepable {
  readonly key: string;
  readonly payload: Buffer;
  readonly stamps: readonly Stamp[];
  /** Milliseconds that it may still be served. */
  readonly life: number;
}

/** Estimates, not measured yet: map, node and key; each token with its record, its texts and its stamp. */
const ENTRY_BYTES = 260;
const TOKEN_BYTES = 190;

export class KeptEntry extends FifoNode implements NearEntry {
  form: NearForm | 'none' | undefined;
  /** Its stamps in one text. */
  readonly stampText: string;
  #payload: string;

  /** @param expires monotonic milliseconds */
  constructor(
    private readonly store: NearStore,
    { key, payload, stamps }: Keepable,
    readonly reservation: Reservation,
    readonly expires: number,
  ) {
    const { length } = reservation.tokens;
    super(key, ENTRY_BYTES + key.length + length * TOKEN_BYTES + payload.length);
    // As text: a small Buffer takes ten times its bytes, and one from a socket keeps all that came with it.
    this.#payload = payload.toString('latin1');
    this.stampText = stamps.join('');
  }

  get tokens(): readonly Token[] {
    return this.reservation.tokens;
  }

  stamps(): readonly Stamp[] {
    return this.tokens.map((_, i) => this.stampText.slice(i * STAMP_LENGTH, (i + 1) * STAMP_LENGTH));
  }

  payload(): Buffer {
    return Buffer.from(this.#payload, 'latin1');
  }

  open(form: NearForm | 'none'): void {
    const { length } = this.#payload;
    this.form = form;
    if (form === 'none') return;
    this.#payload = '';
    this.store.resize(this, this.size - length + form.bytes);
  }
}

/**
 * Entries by key, bounded in bytes, and what they depend on. A token that changes costs one flag, however many
 * entries look at it: they are found dead when they are asked for, or when their turn to leave comes.
 */
export class NearStore {
  readonly #entries = new S3Fifo<KeptEntry>(({ reservation }) => this.release(reservation));
  readonly #records = new Map<Token, TokenRecord>();
  #generation = 0;
  #changes = 0;

  /** @param maxBytes what entries may take together, with all that belongs to them */
  constructor(
    private readonly maxBytes: number,
    private readonly clock: Clock,
  ) {}

  get bytes(): number {
    return this.#entries.bytes;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** How many tokens are known. */
  get tokens(): number {
    return this.#records.size;
  }

  get evictions(): number {
    return this.#entries.evictions;
  }

  /** An entry that has not run out and to whose tokens nothing has happened, as far as was told. */
  get(key: string, now: number): KeptEntry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (now < entry.expires && this.isCurrent(entry.reservation)) {
      entry.visited = true;
      return entry;
    }
    this.#entries.delete(entry);
    return undefined;
  }

  reserve(tokens: readonly Token[]): Reservation {
    const records = new Array<TokenRecord>(tokens.length);
    for (let i = 0; i < tokens.length; i++) {
      const token = asSent(tokens[i] as Token);
      let record = this.#records.get(token);
      if (record === undefined) this.#records.set(token, (record = new TokenRecord(token)));
      record.uses++;
      records[i] = record;
    }
    return { generation: this.#generation, seen: this.#changes, tokens, records };
  }

  /** Whether nothing has happened since the reservation was taken. */
  isCurrent(reservation: Reservation): boolean {
    if (reservation.seen === this.#changes) return true;
    const { generation, records } = reservation;
    if (generation !== this.#generation) return false;
    for (let i = 0; i < records.length; i++) if (!(records[i] as TokenRecord).unchanged) return false;
    reservation.seen = this.#changes;
    return true;
  }

  /** Gives back a reservation under which nothing is kept. */
  release({ records }: Reservation): void {
    for (const record of records) {
      record.uses--;
      if (record.uses === 0 && this.#records.get(record.token) === record) this.#records.delete(record.token);
    }
  }

  /** Keeps an entry under its reservation, unless something has happened in between. */
  keep(keepable: Keepable, reservation: Reservation): void {
    const entry =
      keepable.life > 0 && this.isCurrent(reservation)
        ? new KeptEntry(this, keepable, reservation, this.clock.monotonic() + keepable.life)
        : undefined;
    if (entry === undefined || !this.#entries.add(entry, this.maxBytes)) this.release(reservation);
  }

  resize(entry: KeptEntry, size: number): void {
    this.#entries.resize(entry, size);
    this.#entries.shrink(this.maxBytes);
  }

  invalidate(tokens: readonly Token[]): void {
    for (const token of tokens) {
      if (token === EVERYTHING) return this.clear();
      const record = this.#records.get(asSent(token));
      if (record === undefined) continue;
      record.unchanged = false;
      this.#changes++;
      this.#records.delete(record.token);
    }
  }

  remove(entry: KeptEntry): void {
    this.#entries.delete(entry);
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) this.#entries.delete(entry);
  }

  /** Forgets everything; what is reserved for is not kept either. */
  clear(): void {
    this.#generation++;
    this.#changes++;
    this.#entries.clear();
    this.#records.clear();
  }
}

type WellFormed = string & { isWellFormed(): boolean; toWellFormed(): string };

/** Texts that UTF-8 cannot hold reach the backend, and come back from it, as others. */
const asSent = (token: Token): Token =>
  (token as WellFormed).isWellFormed() ? token : (token as WellFormed).toWellFormed();
