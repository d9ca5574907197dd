import { StreamableFile } from '@nestjs/common';
import type { Exchange, Headers } from './exchange.js';

/** Whether a response may be given to others than the one who asked (law 12). */
export function isFit(value: unknown, exchange: Exchange, headers: Headers, isPersonal: boolean): boolean {
  const { status } = exchange;
  const control = String(headers['cache-control'] ?? '').toLowerCase();
  return (
    status >= 200 &&
    status < 400 &&
    status !== PARTIAL &&
    status !== NOT_MODIFIED &&
    !isStream(value) &&
    !exchange.setsCookie() &&
    !control.includes('no-store') &&
    (isPersonal || !control.includes('private'))
  );
}

const PARTIAL = 206;
const NOT_MODIFIED = 304;

/** Streams of Node and of the web, files, responses of `fetch`, and whatever else is read piece by piece. */
function isStream(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const {
    pipe,
    getReader,
    [Symbol.asyncIterator]: iterator,
  } = value as Partial<Record<'pipe' | 'getReader' | typeof Symbol.asyncIterator, unknown>>;
  return (
    value instanceof StreamableFile ||
    [pipe, getReader, iterator].some((each) => typeof each === 'function') ||
    Object.prototype.toString.call(value) === '[object Response]'
  );
}
