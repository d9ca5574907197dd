import type { NearForm } from '../drivers/near-entries.interface.js';
import type { NearCodec } from './lookup.js';

/** What has to be done to copy a value that is not a primitive: which of its members are none either. */
type CopyPlan =
  | { readonly kind: 'date' }
  | { readonly kind: 'record'; readonly nested: readonly (readonly [string, CopyPlan])[] }
  | {
      readonly kind: 'list';
      readonly nested: readonly (readonly [number, CopyPlan])[];
      /** All items are copied by the same plan. */
      readonly each: CopyPlan | undefined;
    };

/**
 * A decoded value that stays in memory and is never handed out itself: as a copy, which costs less than to decode it
 * again, or frozen. Holds what JSON holds, and dates.
 */
export class KeptValue implements NearForm {
  private frozen: boolean | undefined;
  private promise: Promise<unknown> | undefined;

  private constructor(
    private readonly value: unknown,
    private readonly plan: CopyPlan | undefined,
    readonly bytes: number,
  ) {}

  /** @returns `undefined` when the value holds something else; then it is kept as bytes */
  static of(value: unknown): KeptValue | undefined {
    const survey = new Survey();
    const plan = survey.plan(value);
    return survey.strange ? undefined : new KeptValue(value, plan, survey.bytes);
  }

  /** New objects each time. */
  copy(): unknown {
    return this.plan === undefined ? this.value : copyOf(this.value, this.plan);
  }

  /** The value itself, deeply frozen; a copy where it holds dates, which cannot be frozen. */
  shared(): unknown {
    if (this.plan === undefined) return this.value;
    this.frozen ??= freeze(this.value, this.plan);
    return this.frozen ? this.value : copyOf(this.value, this.plan);
  }

  /** A promise of what `copy` returns, if that has no members. */
  copied(): Promise<unknown> | undefined {
    return this.plan === undefined ? this.promised() : undefined;
  }

  /** A promise of what `shared` returns, if that is the value itself. */
  sharing(): Promise<unknown> | undefined {
    if (this.frozen === undefined) this.shared();
    return this.plan === undefined || this.frozen ? this.promised() : undefined;
  }

  private promised(): Promise<unknown> {
    return (this.promise ??= Promise.resolve(this.value));
  }
}

/** The near half of a codec whose values may be plain data. @param decode makes new objects each time */
export function nearValues<T>(decode: (payload: Buffer) => T): NearCodec<T> {
  return {
    open: (payload) => KeptValue.of(decode(payload)),
    make: (form) => (form as KeptValue).copy() as T,
    answer: (form) => (form as KeptValue).copied() as Promise<T> | undefined,
  };
}

/** The same for callers that share one frozen value where they can. */
export function nearFrozen(decode: (payload: Buffer) => unknown): NearCodec<unknown> {
  return {
    open: (payload) => KeptValue.of(decode(payload)),
    make: (form) => (form as KeptValue).shared(),
    answer: (form) => (form as KeptValue).sharing(),
  };
}

/** The value, deeply frozen if it can be: plain data without dates. */
export const frozen = (value: unknown): unknown => KeptValue.of(value)?.shared() ?? value;

function copyOf(value: unknown, plan: CopyPlan): unknown {
  if (plan.kind === 'date') return new Date((value as Date).getTime());
  if (plan.kind === 'record') {
    const copy = { ...(value as Record<string, unknown>) };
    for (const [key, inner] of plan.nested) copy[key] = copyOf(copy[key], inner);
    return copy;
  }
  const copy = (value as unknown[]).slice();
  const { each } = plan;
  if (each) for (let i = 0; i < copy.length; i++) copy[i] = copyOf(copy[i], each);
  else for (const [index, inner] of plan.nested) copy[index] = copyOf(copy[index], inner);
  return copy;
}

/** @returns false when there is something that cannot be frozen; then nothing was */
function freeze(value: unknown, plan: CopyPlan): boolean {
  if (hasDates(plan)) return false;
  freezeDeep(value, plan);
  return true;
}

function hasDates(plan: CopyPlan): boolean {
  if (plan.kind === 'date') return true;
  if (plan.kind === 'list' && plan.each) return hasDates(plan.each);
  return plan.nested.some(([, inner]) => hasDates(inner));
}

function freezeDeep(value: unknown, plan: CopyPlan): void {
  if (plan.kind === 'date') return;
  if (plan.kind === 'record') {
    for (const [key, inner] of plan.nested) freezeDeep((value as Record<string, unknown>)[key], inner);
  } else if (plan.each) {
    for (const item of value as unknown[]) freezeDeep(item, plan.each);
  } else {
    for (const [index, inner] of plan.nested) freezeDeep((value as unknown[])[index], inner);
  }
  Object.freeze(value);
}

/** Estimates, not measured yet. */
const STRING_BYTES = 24;
const NUMBER_BYTES = 12;
const DATE_BYTES = 80;
const OBJECT_BYTES = 32;
const MEMBER_BYTES = 8;

/** Makes plans and adds up what the values take. */
class Survey {
  bytes = 0;
  /** Something was found that cannot be copied. */
  strange = false;

  plan(value: unknown): CopyPlan | undefined {
    if (typeof value !== 'object' || value === null) {
      this.bytes += primitiveBytes(value);
      return undefined;
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Array.prototype) return this.list(value as unknown[]);
    if (prototype === Object.prototype) return this.record(value as Record<string, unknown>);
    if (prototype === Date.prototype) {
      this.bytes += DATE_BYTES;
      return { kind: 'date' };
    }
    this.strange = true;
    return undefined;
  }

  private record(record: Record<string, unknown>): CopyPlan {
    const nested: [string, CopyPlan][] = [];
    const keys = Object.keys(record);
    this.bytes += OBJECT_BYTES + MEMBER_BYTES * keys.length;
    for (const key of keys) {
      // Assignment would set the prototype of the copy.
      if (key === '__proto__') this.strange = true;
      const plan = this.plan(record[key]);
      if (plan) nested.push([key, plan]);
    }
    return { kind: 'record', nested };
  }

  private list(list: readonly unknown[]): CopyPlan {
    const nested: [number, CopyPlan][] = [];
    let each: CopyPlan | undefined;
    this.bytes += OBJECT_BYTES + MEMBER_BYTES * list.length;
    for (let i = 0; i < list.length && !this.strange; i++) {
      const plan = this.plan(list[i]);
      if (!plan) continue;
      if (nested.length === 0) each = plan;
      // Rows of one result have the same plan: one of them is kept.
      const known = each && samePlan(plan, each) ? each : plan;
      if (known !== each) each = undefined;
      nested.push([i, known]);
    }
    return each && nested.length === list.length
      ? { kind: 'list', nested: [], each }
      : { kind: 'list', nested, each: undefined };
  }
}

function samePlan(one: CopyPlan, other: CopyPlan): boolean {
  if (one.kind === 'date' || other.kind === 'date') return one.kind === other.kind;
  if (one.kind !== other.kind || one.nested.length !== other.nested.length) return false;
  if (one.kind === 'list' && other.kind === 'list' && (one.each || other.each)) {
    return one.each !== undefined && other.each !== undefined && samePlan(one.each, other.each);
  }
  return one.nested.every(([key, plan], i) => {
    const [otherKey, otherPlan] = other.nested[i] as readonly [string | number, CopyPlan];
    return key === otherKey && samePlan(plan, otherPlan);
  });
}

const WIDE = /[^\0-\xff]/;

/** What a value that has no members takes beside the place that holds it. */
export function primitiveBytes(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return STRING_BYTES + value.length * (WIDE.test(value) ? 2 : 1);
    case 'number':
      return Number.isSafeInteger(value) && Math.abs(value) < 2 ** 30 ? 0 : NUMBER_BYTES;
    case 'bigint':
      return STRING_BYTES;
    default:
      return 0;
  }
}
