import type { ParseArgsConfig } from 'node:util';

/** Where a command writes to. */
export interface Output {
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
}

/** A command of `cacheops`. */
export interface Command {
  readonly name: string;
  readonly usage: string;
  readonly options: NonNullable<ParseArgsConfig['options']>;
  readonly run: (values: Readonly<Record<string, unknown>>, output: Output) => Promise<void>;
}
