/* What is called of a backend, and what it replies, as text. */
import type { ReadReply, ShapeRegistry, TokenState } from '../../../lib/drivers/cache-driver.interface.js';
import type { Backend } from './world.js';

const OF_DRIVER = [
  'read',
  'pin',
  'write',
  'pend',
  'settle',
  'expire',
  'lease',
  'unlease',
  'delete',
  'registries',
] as const;
const OF_BACKEND = ['evictToken', 'evictRegistry', 'evictLease', 'expireMarks'] as const;
export type Method = (typeof OF_DRIVER)[number] | (typeof OF_BACKEND)[number];
type Methods = Record<Method, (...args: readonly unknown[]) => Promise<unknown>>;

/** A backend all of whose methods are one function. */
export function backendOf(call: (method: Method, args: readonly unknown[]) => Promise<unknown>): Backend {
  const methods = (names: readonly Method[]): Partial<Methods> =>
    Object.fromEntries(names.map((name) => [name, (...args: readonly unknown[]) => call(name, args)]));
  return { ...methods(OF_BACKEND), driver: methods(OF_DRIVER) } as unknown as Backend;
}

/** Tells calls apart, and costs less than `callText`. */
export function callKey(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (Buffer.isBuffer(value)) return `'${value.toString()}'`;
  let key = '[';
  const parts =
    Array.isArray(value) || value instanceof Map ? (value as Iterable<unknown>) : Object.values(value);
  for (const part of parts) key += `${callKey(part)},`;
  return `${key}]`;
}

export function callText(method: Method, args: readonly unknown[]): string {
  return `${method} ${JSON.stringify(args, plain)}`;
}

/** JSON has no maps, and hides the text of a buffer. */
function plain(this: Record<string, unknown>, key: string, value: unknown): unknown {
  const original = this[key];
  if (Buffer.isBuffer(original)) return original.toString();
  return original instanceof Map ? [...(original as Map<unknown, unknown>)] : value;
}

/** @returns the text of what the backend replied */
export async function carryOut(text: string, backend: Backend): Promise<string> {
  const space = text.indexOf(' ');
  const method = text.slice(0, space) as Method;
  const args = JSON.parse(text.slice(space + 1), (key, value: unknown) => {
    if (key === 'registries') return new Map(value as [string, string][]);
    return key === 'entry' ? Buffer.from(value as string) : value;
  }) as unknown[];
  const owner = method in backend ? backend : backend.driver;
  const reply = await (owner as unknown as Methods)[method](...args);
  return replyText(method, reply);
}

function replyText(method: Method, reply: unknown): string {
  if (method === 'read') {
    const { entry, states } = reply as ReadReply;
    return JSON.stringify([entry?.toString() ?? null, states]);
  }
  // How long it still is somebody else's depends on the hour.
  if (method === 'lease') return String(Math.sign(reply as number));
  return JSON.stringify(reply instanceof Map ? [...(reply as Map<unknown, unknown>)] : (reply ?? null));
}

export function replyOf(method: Method, text: string): unknown {
  const parsed: unknown = JSON.parse(text);
  if (method === 'read') {
    const [entry, states] = parsed as [string | null, (string | null)[]];
    return { entry: entry === null ? undefined : Buffer.from(entry), states: statesOf(states) };
  }
  if (method === 'pin') return statesOf(parsed as (string | null)[]);
  if (method !== 'pend' && method !== 'expire' && method !== 'registries') return parsed;
  return parsed === null ? undefined : new Map(parsed as [string, ShapeRegistry][]);
}

const statesOf = (states: readonly (string | null)[]): TokenState[] =>
  states.map((state) => state ?? undefined);
