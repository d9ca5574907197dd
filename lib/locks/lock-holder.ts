import { hostname } from 'node:os';
import type { LockHolder, LockMode } from './lock-driver.interface.js';

/** Who holds a lock, for humans. */
export interface LockHolderInfo {
  /** The option `label` of the call. */
  readonly label: string;
  readonly host: string | undefined;
  readonly pid: number | undefined;
  /** When it was asked for, by the clock of the holder. */
  readonly since: Date | undefined;
  readonly mode: LockMode;
  readonly fencingToken: number | undefined;
  /** Milliseconds until the lease runs out, unless it is renewed. */
  readonly remaining: number;
}

export interface LockInfo {
  /** More than one for readers and semaphores. */
  readonly holders: readonly LockHolderInfo[];
  /** How many stand in line, as far as the driver knows. */
  readonly waiting: number;
}

const HERE = JSON.stringify({ host: hostname().slice(0, 255), pid: process.pid }).slice(0, -1);

/** What is stored beside a lease, as JSON. */
export const describeHolder = (label: string, now: number): string =>
  `${HERE},"since":${now}${label === '' ? '' : `,"label":${JSON.stringify(label)}`}}`;

/** Reads it back. What somebody else has stored is shown as it is. The owner is a secret, and left out. */
export function holderInfo({ metadata, mode, fencingToken, remaining }: LockHolder): LockHolderInfo {
  const { label, host, pid, since } = parsed(metadata);
  return {
    label: typeof label === 'string' ? label : '',
    host: typeof host === 'string' ? host : undefined,
    pid: typeof pid === 'number' ? pid : undefined,
    since: typeof since === 'number' ? new Date(since) : undefined,
    mode,
    fencingToken,
    remaining,
  };
}

function parsed(metadata: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(metadata);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Not ours.
  }
  return { label: metadata };
}
