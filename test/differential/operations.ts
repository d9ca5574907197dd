/** Everything that an operation holds is JSON, so that a trace can be printed, replayed and shrunk. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** What a step is: read, write, or a transaction around steps. */
export type Operation = ReadOperation | WriteOperation | TransactionOperation;

export interface ReadOperation {
  readonly kind: 'read';
  /** Name of a reader in `readers`. */
  readonly how: string;
  readonly entity: string;
  readonly args: Json;
  /** Which of the processes reads; modulo their number. */
  readonly process: number;
  /** Inside a transaction: read by another connection. */
  readonly outside?: boolean;
}

export interface WriteOperation {
  readonly kind: 'write';
  /** Name of a writer in `writers`. */
  readonly how: string;
  readonly entity: string;
  readonly args: Json;
  readonly process: number;
}

export interface TransactionOperation {
  readonly kind: 'transaction';
  readonly process: number;
  readonly steps: readonly Operation[];
  readonly end: 'commit' | 'rollback';
  /** By statements of the application instead of TypeORM's calls. */
  readonly byHand?: boolean;
  readonly isolation?: 'READ COMMITTED' | 'REPEATABLE READ' | 'SERIALIZABLE';
}

/** A value that JSON has no word for, or an operator: `{ $op, v }`. */
export const date = (iso: string): Json => ({ $date: iso });
export const bytes = (hex: string): Json => ({ $bytes: hex });
export const operator = (name: string, ...values: readonly Json[]): Json => ({ $op: name, v: values });
/** The n-th of the keys that the database gave out and that still exist. */
export const nthComment = (n: number): Json => ({ $comment: n });
